"""How the issuer's program logs: to stderr, in UTC, a line an event."""

import logging
import time

from revocast.schemas.json_log import JsonFormatter
from revocast.schemas.settings import LogSettings

__all__ = ["configure_logs"]


def configure_logs(settings: LogSettings) -> None:
    """Set up the root logger. Called by programs, never by the library."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else _text())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    if settings.log_level != "debug":
        for chatty in ("aiokafka", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)


def _text() -> logging.Formatter:
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    return formatter
