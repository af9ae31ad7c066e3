"""Times as an operator writes and reads them: UTC, whole seconds."""

import re
from datetime import UTC, datetime

from revocast.cli.errors import Misused

__all__ = ["parse_time", "show_time"]

_RELATIVE = re.compile(r"([+-])(\d{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_time(text: str, now: float) -> int:
    """Seconds since 1970 of `1764000000`, `2026-11-24T17:00:00Z` or, relative to `now`, `-10m`, `+2d`.

    Raises `Misused`. A time without an offset is refused: at three in the morning nobody knows whose it is.
    """
    if relative := _RELATIVE.fullmatch(text):
        sign, amount, unit = relative.groups()
        return int(now) + int(f"{sign}{amount}") * _UNITS[unit]
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Misused(
            f"{text!r} is not a time",
            "Write seconds since 1970, 2026-11-24T17:00:00Z, or an offset from now: -10m, +2d.",
        )
    return int(moment.timestamp())


def show_time(seconds: int | None) -> str:
    """`2026-11-24 17:00:00Z`; None is `never`."""
    if seconds is None:
        return "never"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
