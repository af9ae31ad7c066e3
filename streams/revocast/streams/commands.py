"""The command line of streams: `revocast serve streams`."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer

from revocast.schemas.errors import SettingsError, SignerError
from revocast.streams.errors import KafkaAway, StreamsError
from revocast.streams.settings import StreamsSettings

__all__ = ["app", "serve"]

app = typer.Typer()
serve = typer.Typer()

_FAILED = 1
_MISUSED = 2


@serve.command()
def streams(
    listen: Annotated[
        str | None, typer.Option(help="host:port of the HTTP API (REVOCAST_STREAMS_LISTEN)")
    ] = None,
    datadir: Annotated[
        Path | None, typer.Option(help="this worker's own folder (REVOCAST_STREAMS_DATADIR)")
    ] = None,
) -> None:
    """Run one streams worker; start more with other folders and ports to share the work."""
    # Faust and FastAPI take a second to import, which no other command should wait for.
    from revocast.streams.worker import run

    try:
        settings = StreamsSettings.from_env(streams_listen=listen, streams_datadir=datadir)
        _configure_logs(settings.log_level)
        raise typer.Exit(asyncio.run(run(settings)))
    except (SettingsError, SignerError, StreamsError) as error:
        typer.echo(f"revocast serve streams: {error}", err=True)
        raise typer.Exit(_FAILED if isinstance(error, KafkaAway) else _MISUSED) from None


def _configure_logs(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level != "debug":
        for chatty in ("faust", "mode"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        # While a broker is away it tells several times a second what this program says once.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
