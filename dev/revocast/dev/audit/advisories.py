"""Advisories in the OSV format (https://ossf.github.io/osv-schema/), as far as a version of a Python package needs them.

The copy in `advisories.json` holds the packages that the lock names and, of each advisory, its ids, its summary and the
affected versions: ranges of the type ECOSYSTEM, or a list where there are none. The database is CC-BY 4.0.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from revocast.dev.audit.lock import Locked

__all__ = ["Advisories", "Advisory", "read_copy", "read_database", "write_copy"]

_SOURCE = "https://github.com/pypa/advisory-database (CC-BY 4.0)"


@dataclass(frozen=True, slots=True)
class Advisory:
    """One advisory about one package. `ranges` are (introduced, fixed), `fixed` empty: not yet."""

    id: str
    package: str
    aliases: tuple[str, ...]
    summary: str
    versions: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...]

    def affects(self, version: str) -> bool:
        """Whether this version is vulnerable."""
        own = Version(version)
        if any(own == _version(listed) for listed in self.versions):
            return True
        return any(
            own >= Version(introduced) and not (fixed and own >= Version(fixed))
            for introduced, fixed in self.ranges
        )


@dataclass(frozen=True, slots=True)
class Advisories:
    """A copy of the database as of a day (ISO 8601)."""

    as_of: str
    advisories: tuple[Advisory, ...]

    def about(self, package: Locked) -> list[Advisory]:
        """What is known against this version."""
        name = canonicalize_name(package.name)
        return [each for each in self.advisories if each.package == name and each.affects(package.version)]


def read_copy(path: Path) -> Advisories:
    """The copy in the repository."""
    content = json.loads(path.read_text("utf-8"))
    return Advisories(content["as_of"], tuple(_from_copy(entry) for entry in content["advisories"]))


def write_copy(path: Path, advisories: Advisories) -> None:
    """Replace the copy in the repository."""
    entries = sorted(advisories.advisories, key=lambda each: (each.package, each.id))
    content = {
        "source": _SOURCE,
        "as_of": advisories.as_of,
        "advisories": [asdict(entry) for entry in entries],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def read_database(folder: Path, packages: Iterable[Locked], as_of: str) -> Advisories:
    """The advisories about `packages` in a checkout of https://github.com/pypa/advisory-database."""
    names = {canonicalize_name(package.name) for package in packages}
    found: list[Advisory] = []
    for path in sorted(folder.glob("vulns/*/*.yaml")):
        if path.parent.name in names:
            found += _from_osv(yaml.safe_load(path.read_text("utf-8")), path.parent.name)
    return Advisories(as_of, tuple(found))


def _from_osv(record: Mapping[str, Any], package: str) -> Iterable[Advisory]:
    if record.get("withdrawn"):
        return
    for affected in record.get("affected", ()):
        if canonicalize_name(affected["package"]["name"]) != package:
            continue
        ranges = tuple(
            pair
            for ranged in affected.get("ranges", ())
            if ranged["type"] == "ECOSYSTEM"
            for pair in _pairs(ranged["events"])
        )
        yield Advisory(
            id=record["id"],
            package=package,
            aliases=tuple(record.get("aliases", ())),
            summary=" ".join(str(record.get("summary") or record.get("details", "")).split())[:200],
            versions=() if ranges else tuple(affected.get("versions", ())),
            ranges=ranges,
        )


def _pairs(events: Iterable[Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    introduced = None
    for event in events:
        if "introduced" in event:
            introduced = event["introduced"]
        elif introduced is not None and "fixed" in event:
            yield introduced, event["fixed"]
            introduced = None
    if introduced is not None:
        yield introduced, ""


def _from_copy(entry: Mapping[str, Any]) -> Advisory:
    return Advisory(
        id=entry["id"],
        package=entry["package"],
        aliases=tuple(entry["aliases"]),
        summary=entry["summary"],
        versions=tuple(entry["versions"]),
        ranges=tuple((introduced, fixed) for introduced, fixed in entry["ranges"]),
    )


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:  # old releases had names of their own; none of ours is one of them
        return None
