"""The composition root: every command group, and what other distributions add."""

import logging
from collections.abc import Sequence
from typing import Any

import typer

from revocast.cli import (
    answer,
    audit,
    block,
    clients,
    explain,
    keys,
    lift,
    log,
    mint,
    revocations,
    revoke,
    snapshots,
    status,
    topics,
)
from revocast.cli.bulk import command as bulk
from revocast.cli.doctor import command as doctor
from revocast.cli.errors import CliError
from revocast.cli.extensions import add_extensions
from revocast.cli.trust import group as trust

__all__ = ["build", "run"]

_EPILOG = (
    "The operator is read from REVOCAST_ISSUER, REVOCAST_CLIENT_ID and REVOCAST_CLIENT_SECRET(_FILE), or from operator.json "
    "in REVOCAST_HOME, which `revocast init` writes. `log`, `audit` and `topics` talk to REVOCAST_KAFKA."
)


def build(*, as_json: bool) -> typer.Typer:
    """The whole command, answering in JSON or for people."""

    def finish(result: Any, **_: object) -> None:
        if code := answer.print_answers(result, as_json=as_json):
            raise typer.Exit(code)

    app = typer.Typer(
        no_args_is_help=True,
        epilog=_EPILOG,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_show_locals=False,  # they would print tokens
        result_callback=finish,
    )
    app.callback()(_root)
    for one in (revoke, bulk, block, lift, revocations, explain, status, mint, doctor):
        app.registered_commands += one.app.registered_commands
    app.add_typer(keys.app, name="keys")
    app.add_typer(clients.clients, name="clients")
    app.add_typer(clients.services, name="services")
    app.add_typer(log.app, name="log")
    app.add_typer(snapshots.app, name="snapshots")
    app.add_typer(audit.app, name="audit")
    app.add_typer(topics.app, name="topics")
    app.add_typer(trust.app, name="trust")
    serve = typer.Typer(help="Run a part of Revocast in the foreground.", no_args_is_help=True)
    add_extensions(app, serve)
    if serve.registered_commands or serve.registered_groups:
        serve.callback()(_serve)
        app.add_typer(serve, name="serve")
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    # Their errors come back as exceptions, which we put in words. `serve` turns the log on for itself.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    as_json = "--json" in arguments  # wherever it stands, because errors follow it too
    try:
        build(as_json=as_json)(args=arguments, prog_name="revocast")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except CliError as error:
        answer.print_error(error, as_json=as_json)
        return error.exit_code
    return 0


def _root(as_json: answer.AsJson = False) -> None:
    """Revoke tokens across a fleet in milliseconds, and see what is revoked.

    \b
    revocast revoke subject alice --reason "phone stolen"     sign out everywhere
    revocast block subject mallory                            suspend until lifted
    revocast explain token.jwt                                why is it refused?
    revocast log verify                                       is the chain whole?
    revocast doctor                                           would a service work here, and if not, why?

    Exit codes: 0 done, 1 a check found something, 2 usage, 3 pending (written, not published yet),
    4 unreachable, 5 not authorized, 6 refused, 130 interrupted.
    """


def _serve() -> None:
    """Run a part of Revocast in the foreground."""
