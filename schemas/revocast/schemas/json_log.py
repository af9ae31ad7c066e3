"""Log records as JSON, an object a line, for whoever collects logs.

* `time` (RFC 3339, UTC), `level`, `logger`, `message`, and `exception` where there is one.
* Facts of their own beside it: what a record carries as `revocast`, a mapping. They never take the place of those five.
* ASCII only, so nothing in a line is a command to a terminal, and a line is always one.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["JsonFormatter", "facts"]


def facts(**given: Any) -> dict[str, Mapping[str, Any]]:
    """For `extra=`: what a record says, for programs."""
    return {"revocast": given}


class JsonFormatter(logging.Formatter):
    """A formatter for any handler."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        own = getattr(record, "revocast", {})
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            **(own if isinstance(own, Mapping) else {}),
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
