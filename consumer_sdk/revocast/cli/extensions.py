"""Commands that other distributions add to `revocast`: the entry-point group `revocast.commands`.

* An entry names a `typer.Typer` called `app`: `issuer = "revocast.issuer.commands:app"`. Its commands and groups join the
  top level (`revocast init`).
* If the same module has a `typer.Typer` called `serve`, its commands join `revocast serve` (`revocast serve issuer`).
* A command may return a mapping or a dataclass, which is printed as JSON under `--json`, else for people; or it prints
  itself and returns None.
* The module is imported on every run of `revocast`: it imports heavy libraries inside its functions.
* A distribution that cannot be imported costs its own commands only, with a line on stderr.
"""

import sys
from importlib.metadata import entry_points

import typer

from revocast.cli.inert import inert

__all__ = ["GROUP", "add_extensions"]

GROUP = "revocast.commands"


def add_extensions(app: typer.Typer, serve: typer.Typer) -> None:
    """Merge every installed distribution's commands into `app` and `serve`."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            contributed = entry.load()
        except Exception as error:  # whatever a foreign module does must not take `revocast revoke` away
            print(f"revocast: commands of {entry.name} are not available: {inert(error)}", file=sys.stderr)
            continue
        _merge(app, contributed)
        if isinstance(contributed_serve := getattr(sys.modules[entry.module], "serve", None), typer.Typer):
            _merge(serve, contributed_serve)


def _merge(into: typer.Typer, contributed: typer.Typer) -> None:
    into.registered_commands += contributed.registered_commands
    into.registered_groups += contributed.registered_groups
