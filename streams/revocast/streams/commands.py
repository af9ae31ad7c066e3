"""The command line of streams: `revocast serve streams`."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer

from revocast.schemas.errors import SettingsError, SignerError
from revocast.schemas.json_log import JsonFormatter
from revocast.schemas.settings import LogSettings
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
        _configure_logs(settings)
        raise typer.Exit(asyncio.run(run(settings)))
    except (SettingsError, SignerError, StreamsError) as error:
        typer.echo(f"revocast serve streams: {error}", err=True)
        raise typer.Exit(_FAILED if isinstance(error, KafkaAway) else _MISUSED) from None


def _configure_logs(settings: LogSettings) -> None:
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else text)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    if settings.log_level != "debug":
        for chatty in ("faust", "mode"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        # While a broker is away it tells several times a second what this program says once.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
