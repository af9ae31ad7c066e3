"""What the issuer adds to the `revocast` command: `revocast init` and `revocast serve issuer`.

This module is imported on every run of `revocast`, so what is heavy is imported where it is used.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["HomeOption", "Json", "app", "explained", "serve"]

app = typer.Typer()
serve = typer.Typer()

_FAILED = 6
_NOT_STARTED = 1
_MISUSED = 2

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", envvar="REVOCAST_HOME", help="Folder of database and keys [~/.local/share/revocast]."
    ),
]


@app.command()
def init(
    issuer: Annotated[
        str | None,
        typer.Option(
            envvar="REVOCAST_ISSUER", help="The issuer's URL: `iss` of its tokens; where services reach it."
        ),
    ] = None,
    root_key: Annotated[
        str | None,
        typer.Option(
            envvar="REVOCAST_ROOT_KEY",
            metavar="URI",
            help="A root key that exists: /path/root.pem, file:///…, or the scheme of an installed signer.",
        ),
    ] = None,
    root_public: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The root's public JWK: the root itself never comes to this host."),
    ] = None,
    first_list: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="The first delegation list, which that root signed."),
    ] = None,
    snapshot_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The snapshot key, which signs for streams; made if it is not there [HOME/snapshot.pem].",
        ),
    ] = None,
    home: HomeOption = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            envvar="REVOCAST_DATABASE_URL",
            help="postgresql://… instead of SQLite in the folder. If it holds a password, use the variable.",
        ),
    ] = None,
    alg: Annotated[str, typer.Option(help="Token signatures: RS256, ES256 or EdDSA.")] = "ES256",
    claim: Annotated[
        list[str] | None,
        typer.Option(help="A claim by which tokens can be revoked, like tenant. Repeatable."),
    ] = None,
    token_lifetime: Annotated[int, typer.Option(min=1, help="Of a token, seconds.")] = 600,
    max_lifetime: Annotated[
        int, typer.Option(min=1, help="No token may live longer, seconds; revocations are kept as long.")
    ] = 3600,
    leeway: Annotated[int, typer.Option(min=0, help="For clocks that differ, seconds.")] = 30,
    announce: Annotated[
        int, typer.Option(min=0, help="How long a new key is published before it signs, seconds.")
    ] = 60,
    allow_http: Annotated[
        bool,
        typer.Option(
            "--allow-http", help="Let the issuer be http:// on another host (a private test network)."
        ),
    ] = False,
    as_json: Json = False,
) -> dict[str, Any] | None:
    """Make a new authority: its keys, its database and its first operator. Overwrites nothing.

    \b
    revocast init --issuer http://127.0.0.1:8080
    revocast init --issuer https://issuer.example --root-public root.pub.json
    revocast init --list list.jwt
    """
    from revocast.issuer import bootstrap
    from revocast.issuer.errors import InvalidRequest
    from revocast.issuer.root_key import public_root, root_behind
    from revocast.issuer.settings import HomeSettings, check_issuer_url

    with explained(as_json=as_json):
        settings = HomeSettings.from_env(home=home, database_url=database_url)
        if sum(given is not None for given in (root_key, root_public, first_list)) > 1:
            raise InvalidRequest("give one of --root-key, --root-public and --list")
        if first_list is not None:
            if snapshot_key is not None:
                raise InvalidRequest(
                    "--snapshot-key: the first list names it already; it was made with the request"
                )
            return _take_list(settings, first_list, as_json=as_json)
        if issuer is None:
            raise InvalidRequest("--issuer: is missing")
        check_issuer_url(issuer, allow_http=allow_http)
        root = root_behind(root_key) if root_key else public_root(root_public) if root_public else None
        made = bootstrap.Home(settings.home)
        plan = bootstrap.Plan(
            issuer=issuer,
            alg=alg,
            claims=tuple(claim or ()),
            max_lifetime=max_lifetime,
            token_lifetime=token_lifetime,
            leeway=leeway,
            announce_seconds=announce,
        )
        snapshots = snapshot_key or made.snapshot_key
        terms = bootstrap.init(made, plan, settings.database, root=root, snapshot_key=snapshot_key)
    answer = {"issuer": issuer, "root": terms.root, "operator": made.operator, "master_key": made.master_key}
    answer |= {"snapshot_key": snapshots}
    if root is None:
        answer["root_key"] = made.root
    elif root.signer is None:
        answer["request"] = made.request
    if as_json:
        return {name: str(value) for name, value in answer.items()}
    typer.echo(
        _made(
            made,
            snapshots,
            issuer,
            terms.root,
            root,
            in_home=settings.database_url is None,
            is_default=home is None,
        )
    )
    return None


def _take_list(settings: Any, path: Path, *, as_json: bool) -> dict[str, Any] | None:
    from revocast.issuer.bootstrap import take_list
    from revocast.issuer.errors import InvalidRequest

    try:
        compact = path.read_bytes().strip()
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    adopted = take_list(settings.database, settings.key_store(), compact)
    if as_json:
        return {"version": adopted.version, "epoch": adopted.epoch, "active": adopted.active}
    typer.echo(f"delegation list {adopted.version} is in force; event key {adopted.active} signs")
    typer.echo("Next:\n  revocast serve issuer")
    return None


@serve.command("issuer")
def serve_issuer(
    home: HomeOption = None,
    listen: Annotated[
        str | None, typer.Option(help="host:port [REVOCAST_LISTEN, 127.0.0.1:8080]; port 0: a free one.")
    ] = None,
    relay: Annotated[
        bool | None, typer.Option(help="Whether this process may publish; one of all processes does [yes].")
    ] = None,
) -> None:
    """Run the issuer: OAuth, the operator API (documented at /docs) and the relay to Kafka.

    \b
    REVOCAST_KAFKA=localhost:9092 revocast serve issuer
    """
    import uvicorn

    from revocast.issuer.app import create_app
    from revocast.issuer.logs import configure_logs
    from revocast.issuer.settings import IssuerSettings

    with explained(as_json=False):
        settings = IssuerSettings.from_env(home=home, listen=listen, relay=relay)
        configure_logs(settings)
        application = create_app(settings)
    try:
        uvicorn.run(
            application,
            host=settings.host,
            port=settings.port,
            timeout_graceful_shutdown=settings.shutdown_timeout,
            access_log=False,  # uvicorn's would hold queries; ours is in the application
            server_header=False,
            log_config=None,
            **settings.server_options(),
        )
    except SystemExit as end:
        # uvicorn ends with 3 when it cannot start, which means `pending` here.
        if isinstance(reason := end.__context__, OSError):
            typer.echo(f"error: cannot listen on {settings.listen}: {reason.strerror}", err=True)
        raise typer.Exit(_NOT_STARTED) from None


@contextmanager
def explained(*, as_json: bool) -> Iterator[None]:
    """What went wrong as one line, and an exit code as the other commands have it."""
    from revocast.issuer.errors import InvalidRequest, IssuerError

    try:
        yield
    except (IssuerError, ValueError) as error:
        code = getattr(error, "code", "invalid_request")
        text = (
            json.dumps({"error": code, "message": str(error), "hint": None}) if as_json else f"error: {error}"
        )
        typer.echo(text, err=True)
        raise typer.Exit(_MISUSED if isinstance(error, InvalidRequest | ValueError) else _FAILED) from None


def _made(
    home: Any, snapshots: Path, issuer: str, thumbprint: str, root: Any, *, in_home: bool, is_default: bool
) -> str:
    database = home.database_url.removeprefix("sqlite:///") if in_home else "as REVOCAST_DATABASE_URL says"
    root_lines = [
        f"  root key       {home.root}",
        "                 Move it offline now. It signs the lists of the other keys, and nothing that runs needs it.",
    ]
    start = ["  revocast serve issuer"]
    if root is not None:
        root_lines = []
    if root is not None and root.signer is None:
        root_lines = [
            f"  request        {home.request}",
            "                 For the root's holder, who signs the first delegation list from it.",
        ]
        start = [
            f"  revocast trust init --from {home.request.name} --root-key URI --out list.jwt    # where the root is",
            "  revocast init --list list.jwt",
            *start,
        ]
    return "\n".join(
        (
            f"A new authority for {issuer}",
            "",
            *root_lines,
            f"  root           {thumbprint}",
            "                 Its thumbprint: guards that are given it as REVOCAST_ROOT trust nobody else.",
            f"  master key     {home.master_key}",
            "                 Opens the private keys in the database. Back it up, apart from the database.",
            f"  database       {database}",
            f"  operator       {home.operator}",
            "                 Client id and secret of the first operator; the revocast command finds them there.",
            f"  snapshot key   {snapshots}",
            "                 Bring it to streams, which signs snapshots with it: REVOCAST_SNAPSHOT_KEY.",
            "",
            "Next:",
            *(() if is_default else (f"  export REVOCAST_HOME={home.folder}",)),
            "  export REVOCAST_KAFKA=localhost:9092",
            "  revocast topics ensure",
            *start,
        )
    )
