"""Which rows of the catalogue have tests: `python -m tests.attacks` prints it, and fails like the test of this name."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.attacks.catalogue import NOT_YET, PARTLY, ROWS

__all__ = ["covered", "problems", "report"]

_NAMED: Final = re.compile(r"test_([a-z]\d\d)_")


def covered() -> Counter[str]:
    """How many test functions each row has."""
    files = Path(__file__).parent.glob("test_*.py")
    return Counter(row for file in files for row in _rows_of(file))


def problems(found: Counter[str]) -> list[str]:
    """What is wrong with the lists, a sentence each."""
    return [
        *(f"{row} ({ROWS[row]}) has no test" for row in ROWS if not found[row] and row not in NOT_YET),
        *(f"{row} has a test and is listed as not yet" for row in NOT_YET if found[row]),
        *(f"{row} has a test and is no row of the catalogue" for row in sorted(found) if row not in ROWS),
        *(f"{row} is listed and no row of the catalogue" for row in [*NOT_YET, *PARTLY] if row not in ROWS),
    ]


def report(found: Counter[str]) -> Iterator[str]:
    """A line for each row."""
    for row, title in ROWS.items():
        if row in NOT_YET:
            yield f"{row}  not yet: {NOT_YET[row]}"
        else:
            partly = f"; not yet: {PARTLY[row]}" if row in PARTLY else ""
            yield f"{row}  {found[row]:2} tests  {title}{partly}"


def _rows_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (row := _NAMED.match(node.name)):
            yield row[1].upper()
