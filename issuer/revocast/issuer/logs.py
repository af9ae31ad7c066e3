"""How the issuer's program logs: to stderr, in UTC, a line an event."""

import logging
import time

__all__ = ["configure_logs"]


def configure_logs(level: str) -> None:
    """Set up the root logger. `level` as in `LogSettings`. Called by programs, never by the library."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    if level != "debug":
        for chatty in ("aiokafka", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
