"""Asking before what cannot be taken back."""

import sys
from typing import Annotated

import typer

from revocast.cli.errors import Misused
from revocast.cli.inert import inert

__all__ = ["Yes", "confirm"]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, *, yes: bool) -> None:
    """Return if the operator agrees; a script agrees with `--yes`. Raises `Misused` or aborts otherwise."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misused(f"{question} There is no terminal to ask.", "Add --yes if you mean it.")
    typer.confirm(inert(question), abort=True, err=True)
