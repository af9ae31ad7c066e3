"""What a service that embeds the SDK installs: the wheels, in an empty virtual environment."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = os.environ.get("UV") or shutil.which("uv")


def uv(*arguments: object) -> str:
    assert UV is not None
    done = subprocess.run([UV, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(UV is None, reason="needs uv, which `make test` brings")
def test_the_sdk_brings_neither_faust_nor_fastapi_nor_sqlalchemy(tmp_path: Path) -> None:
    for package in ("revocast-schemas", "revocast"):
        uv("build", "--wheel", "--package", package, "--out-dir", tmp_path / "wheels")
    wheels = sorted((tmp_path / "wheels").glob("*.whl"))
    assert len(wheels) == 2
    for wheel in wheels:
        # `revocast` is a namespace: a wheel with an __init__ of it would hide the others.
        assert "revocast/__init__.py" not in zipfile.ZipFile(wheel).namelist()
    uv("venv", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    uv("pip", "install", "--python", python, *wheels)
    installed = {line.split("==")[0] for line in uv("pip", "freeze", "--python", python).splitlines()}
    assert "revocast" in {name.split(" ")[0] for name in installed}
    assert not installed & {"faust-streaming", "fastapi", "starlette", "sqlalchemy", "typer", "httpx"}
    assert not installed & {
        "cachetools",
        "circuitbreaker",
        "tenacity",
        "prometheus-client",
    }  # the extras bring them
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHON"))}
    program = "from revocast.sdk import Guard; import revocast.testing; print(Guard.__name__)"
    done = subprocess.run([python, "-c", program], env=clean, capture_output=True, text=True, check=False)
    assert done.stdout == "Guard\n", done.stderr
