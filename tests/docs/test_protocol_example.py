"""The bytes in docs/protocol.md are those of the vectors."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
RECORD = json.loads((ROOT / "schemas" / "vectors" / "log.json").read_text(encoding="utf-8"))["records"][1]


def test_the_worked_example_is_record_two_of_the_log_vector() -> None:
    assert RECORD["hash"] in TEXT
    assert f'"prev":"{RECORD["prev"]}"' in TEXT


def test_the_row_of_the_example_is_the_one_in_the_record() -> None:
    row = RECORD["rows"]
    assert " ".join((row[:22], row[22:24], row[24:32], row[32:40])) in TEXT
