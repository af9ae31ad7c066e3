import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from revocast.schemas.json_log import JsonFormatter, facts


def line(message: str, *args: object, **more: Any) -> dict[str, Any]:
    record = logging.getLogger("revocast.test").makeRecord(
        "revocast.test", logging.WARNING, __file__, 1, message, args, more.pop("exc_info", None), **more
    )
    record.created = 1_800_000_000.25
    text = JsonFormatter().format(record)
    assert text.isascii()
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_record_is_one_object_with_its_facts_beside_the_sentence() -> None:
    assert line("%d are %s", 2, "rejected", extra=facts(event="records", count=2)) == {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "warning",
        "logger": "revocast.test",
        "message": "2 are rejected",
        "event": "records",
        "count": 2,
    }


def test_facts_never_take_the_place_of_what_every_line_has() -> None:
    assert line("said", extra=facts(message="forged", level="debug"))["message"] == "said"
    assert line("said", extra={"revocast": "no mapping"})["message"] == "said"


def test_whatever_is_in_it_a_line_stays_one_and_commands_no_terminal() -> None:
    assert line("a\nb\x1b[2J ü")["message"] == "a\nb\x1b[2J ü"


def test_an_exception_is_in_the_line() -> None:
    try:
        raise ValueError("x")
    except ValueError:
        assert "ValueError: x" in line("failed", exc_info=sys.exc_info())["exception"]


@pytest.mark.parametrize(
    "configure",
    [
        "from revocast.issuer.logs import configure_logs as configure",
        "from revocast.streams.commands import _configure_logs as configure",
    ],
)
def test_programs_write_it_when_told_to(configure: str) -> None:
    program = (
        f"{configure}; from revocast.schemas.settings import LogSettings; import logging; "
        "configure(LogSettings.from_env({'REVOCAST_LOG_FORMAT': 'json'})); logging.getLogger('x').warning('here')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr)["message"] == "here"
