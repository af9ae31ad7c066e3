"""Reading a token: from a file, from stdin or from a prompt; never from the command line, which `ps` and history show."""

import re
import sys
from pathlib import Path

import typer

from revocast.cli.errors import Misused

__all__ = ["looks_like_a_token", "read_token"]

_JWS = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_MAX_BYTES = 64 * 1024
_HINT = "Give a file, `-` for stdin, or nothing to be asked for it."


def looks_like_a_token(text: str) -> bool:
    """Whether an argument is a JWT that should not have been typed there."""
    return _JWS.fullmatch(text) is not None


def read_token(source: str | None) -> str:
    """The token in file `source`; `-` is stdin, None a prompt (stdin when that is no terminal). Raises `Misused`."""
    if source is not None and looks_like_a_token(source):
        raise Misused(
            "a token does not belong on a command line: other users and the shell's history see it", _HINT
        )
    if source is None and sys.stdin.isatty():
        return _one_token(typer.prompt("Token", hide_input=True, err=True))
    if source is None or source == "-":
        return _one_token(sys.stdin.read(_MAX_BYTES + 1))
    try:
        with Path(source).open(encoding="utf-8") as file:
            return _one_token(file.read(_MAX_BYTES + 1))
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(
            f"{source} cannot be read: {getattr(error, 'strerror', 'it is not text')}", _HINT
        ) from None


def _one_token(text: str) -> str:
    token = text.strip().removeprefix("Bearer ").strip()
    if len(token) > _MAX_BYTES or not looks_like_a_token(token):
        raise Misused("that is not one compact JWT", _HINT)
    return token
