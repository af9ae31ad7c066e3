"""What README and docs show is what the code has: every command line parses, every variable and path exists."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main

from revocast.cli.app import build
from revocast.cli.settings import OperatorSettings
from revocast.issuer.settings import IssuerSettings
from revocast.sdk.settings import GuardSettings
from revocast.streams.settings import StreamsSettings

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "docs/containers.md",
    "docs/embedding.md",
    "docs/operating.md",
    "docs/transport.md",
    "examples/fastapi_service/README.md",
)
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
COMPOSED = [path.read_text(encoding="utf-8") for path in ROOT.glob("docker-compose*.yml")]
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _command_lines(text: str) -> Iterator[list[str]]:
    """The arguments of every `revocast …` in a shell block, also behind a pipe and in `$(…)`."""
    for block in SHELL.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split, lexer.commenters = True, "#"
            yield from _split([*lexer, ";"])


def _split(words: Sequence[str]) -> Iterator[list[str]]:
    found: list[str] | None = None
    for word in words:
        if set(word) <= set("();<>|&"):
            if found is not None:
                yield found
            found = None
        elif found is not None:
            found.append(word)
        elif word == "revocast":
            found = []


LINES = [(page, shlex.join(words)) for page, text in TEXTS.items() for words in _command_lines(text)]


def _parse(command: Any, arguments: Sequence[str]) -> None:
    """As the command itself would, and run nothing. Raises what a wrong option or word raises."""
    with command.make_context(command.name, list(arguments)) as context:
        if hasattr(command, "resolve_command"):
            _, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            _parse(below, rest)


@pytest.mark.parametrize(("page", "line"), LINES)
def test_every_command_line_parses(page: str, line: str) -> None:
    _parse(typer.main.get_command(build(as_json=False)), shlex.split(line))


def test_a_wrong_option_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        _parse(typer.main.get_command(build(as_json=False)), ["revoke", "subject", "alice", "--nonsense"])


def test_the_pages_show_commands_at_all() -> None:
    """Else the first test would prove nothing."""
    shown = {line.split()[0] for _, line in LINES}
    assert shown >= {"init", "topics", "serve", "status", "revoke", "block", "lift", "keys", "explain", "log"}


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_is_one_that_a_program_or_compose_reads(page: str) -> None:
    programs = (IssuerSettings, StreamsSettings, GuardSettings, OperatorSettings)
    known = {f"REVOCAST_{name.upper()}" for settings in programs for name in settings.model_fields}
    known |= {name for text in COMPOSED for name in re.findall(r"\$\{(REVOCAST_[A-Z_]+)", text)}
    named = set(re.findall(r"\bREVOCAST_[A-Z_]+", TEXTS[page]))
    assert {name.removesuffix("_FILE") for name in named} <= known


def test_every_path_of_the_issuer_is_served() -> None:
    served = json.loads((ROOT / "docs/reference/issuer-openapi.json").read_text(encoding="utf-8"))["paths"]
    named = {
        path for text in TEXTS.values() for path in re.findall(r"\$REVOCAST_ISSUER(/[a-z0-9/._-]+)", text)
    }
    assert named
    assert named <= set(served)


def test_every_make_target_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)`", TEXTS["README.md"], re.MULTILINE)
    assert {one or other for one, other in named} <= set(targets)
