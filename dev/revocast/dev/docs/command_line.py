"""Every command and option of `revocast`, as its own help says them."""

import re

import typer.main
from typer.cli import get_docs_for_click

from revocast.cli.app import build

__all__ = ["command_line"]


def command_line() -> str:
    """`docs/reference/cli.md`."""
    command = typer.main.get_command(build(as_json=False))
    text = get_docs_for_click(
        obj=command,
        ctx=typer.Context(command),
        name="revocast",
        title="The `revocast` command",
    )
    # Click's mark for "do not wrap this paragraph".
    text = re.sub(r"^\x08\n(.*?)(?=\n\n)", r"```console\n\1\n```", text, flags=re.MULTILINE | re.DOTALL)
    heading, rest = text.split("\n", 1)
    return f"{heading}\n\nWritten from the code by `make docs`.\n{rest.rstrip()}\n"
