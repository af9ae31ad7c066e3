"""Results on disk: one JSON file for each row, the newest run."""

from pathlib import Path
from typing import Final

from benchmarks.figures import Result

__all__ = ["RESULTS", "load", "save"]

RESULTS: Final = Path(__file__).parent / "results"


def save(result: Result, folder: Path = RESULTS) -> Path:
    """Replace the row's result."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    path.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def load(names: tuple[str, ...], folder: Path = RESULTS) -> list[Result]:
    """The results that there are of these rows, in their order."""
    paths = (folder / f"{name}.json" for name in names)
    return [Result.model_validate_json(path.read_bytes()) for path in paths if path.exists()]
