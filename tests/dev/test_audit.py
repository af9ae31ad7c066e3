"""The lock file is checked without the network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from revocast.dev.audit.advisories import Advisory, read_copy, read_database, write_copy
from revocast.dev.audit.lock import Locked, lock_problems

_PINNED = 'wheels = [{ url = "https://files.pythonhosted.org/x.whl", hash = "sha256:00" }]'
_PYPI = 'source = { registry = "https://pypi.org/simple" }'
_RECORD = """
id: PYSEC-2022-202
aliases: [CVE-2022-29217]
details: An attacker may choose the algorithm.
affected:
- package: {name: PyJWT, ecosystem: PyPI}
  ranges:
  - {type: GIT, repo: "https://example.org", events: [{introduced: "0"}]}
  - {type: ECOSYSTEM, events: [{introduced: 1.5.0}, {fixed: 2.4.0}]}
"""


def _lock(folder: Path, *lines: str) -> Path:
    path = folder / "uv.lock"
    path.write_text("\n".join(["version = 1", "[[package]]", *lines]))
    return path


def _audit(lock: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "revocast.dev.audit", "--lock", str(lock)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_our_own_lock_passes_offline() -> None:
    assert _audit(Path("uv.lock")).returncode == 0


def test_a_locked_package_with_an_advisory_is_named_and_fails(tmp_path: Path) -> None:
    done = _audit(_lock(tmp_path, 'name = "pyjwt"', 'version = "2.3.0"', _PYPI, _PINNED))
    assert done.returncode == 1
    assert "pyjwt 2.3.0: PYSEC-2022-202, CVE-2022-29217" in done.stdout


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (('source = { git = "https://example.org/x" }', _PINNED), "comes from"),
        (('source = { registry = "https://mirror.example.org/simple" }', _PINNED), "comes from"),
        ((_PYPI,), "no file of it is locked"),
        ((_PYPI, 'wheels = [{ url = "https://files.pythonhosted.org/x.whl" }]'), "SHA-256"),
        ((_PYPI, 'wheels = [{ url = "http://example.org/x.whl", hash = "sha256:00" }]'), "https"),
    ],
)
def test_a_package_that_is_not_pinned_to_pypis_bytes_is_a_problem(
    tmp_path: Path, lines: tuple[str, ...], problem: str
) -> None:
    found = lock_problems(_lock(tmp_path, 'name = "x"', 'version = "1.0"', *lines))
    assert len(found) == 1
    assert problem in found[0]


def test_a_refreshed_copy_says_the_same_as_the_database(tmp_path: Path) -> None:
    folder = tmp_path / "vulns" / "pyjwt"
    folder.mkdir(parents=True)
    (folder / "PYSEC-2022-202.yaml").write_text(_RECORD)
    database = read_database(tmp_path, [Locked("PyJWT", "2.3.0")], "2026-01-31")
    write_copy(tmp_path / "copy.json", database)
    assert read_copy(tmp_path / "copy.json") == database
    assert [each.id for each in database.about(Locked("PyJWT", "2.3.0"))] == ["PYSEC-2022-202"]
    assert database.about(Locked("PyJWT", "2.4.0")) == []


@pytest.mark.parametrize(
    ("version", "affected"), [("1.4", False), ("1.5", True), ("3.0", True), ("0.9", True)]
)
def test_ranges_without_an_end_and_listed_versions_count(version: str, affected: bool) -> None:
    advisory = Advisory("X-1", "x", (), "", versions=("0.9", "not-a-version"), ranges=(("1.5", ""),))
    assert advisory.affects(version) is affected


def test_the_bill_of_materials_names_what_is_shipped_and_nothing_else() -> None:
    subprocess.run(["make", "--silent", "sbom"], check=True, capture_output=True)
    bom = json.loads(Path("dist/sbom.cdx.json").read_bytes())
    names = {component["name"]: component.get("version") for component in bom["components"]}
    assert bom["bomFormat"] == "CycloneDX"
    assert {"pyjwt", "aiokafka", "faust-streaming", "sqlalchemy", "revocast-schemas"} <= names.keys()
    assert not {"pytest", "testcontainers", "revocast-dev"} & names.keys()
