"""The command group: one file a decision."""

import typer

from revocast.cli.trust import (
    compromised,
    delegate,
    distrust,
    init,
    publish,
    renew,
    request,
    retire,
    rotate_root,
    show,
)

__all__ = ["app"]

app = typer.Typer(
    help="What the holder of the root key decides: who signs, until when, and whom to believe no more.",
    no_args_is_help=True,
)
for one in (
    init,
    show,
    request,
    delegate,
    retire,
    compromised,
    distrust,
    renew,
    rotate_root,
    publish,
):
    app.registered_commands += one.app.registered_commands
