"""`uv.lock`: the packages, and whether each comes from where it must and is pinned to its bytes."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Locked", "lock_problems", "locked_packages"]

_REGISTRY = "https://pypi.org/simple"


@dataclass(frozen=True, slots=True)
class Locked:
    """One package from a registry."""

    name: str
    version: str


def locked_packages(lock: Path) -> list[Locked]:
    """Every package that is not our own."""
    return [Locked(entry["name"], entry["version"]) for entry in _entries(lock) if not _is_ours(entry)]


def lock_problems(lock: Path) -> list[str]:
    """Each a sentence; empty: every package comes from PyPI, and every file of it is pinned by its SHA-256."""
    return [problem for entry in _entries(lock) if not _is_ours(entry) for problem in _problems(entry)]


def _entries(lock: Path) -> list[Mapping[str, Any]]:
    entries: list[Mapping[str, Any]] = tomllib.loads(lock.read_text("utf-8"))["package"]
    return entries


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return bool({"editable", "virtual"} & entry["source"].keys())


def _problems(entry: Mapping[str, Any]) -> Iterator[str]:
    name = f"{entry['name']} {entry.get('version', '')}".strip()
    if entry["source"] != {"registry": _REGISTRY}:
        yield f"{name}: comes from {entry['source']}, not from {_REGISTRY}"
    files = [*entry.get("wheels", ()), *([entry["sdist"]] if "sdist" in entry else ())]
    if not files:
        yield f"{name}: no file of it is locked"
    for file in files:
        if not str(file.get("hash", "")).startswith("sha256:"):
            yield f"{name}: a file is not pinned by its SHA-256"
        if not str(file.get("url", "https:")).startswith("https:"):
            yield f"{name}: a file is not fetched by https"
