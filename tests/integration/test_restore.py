"""The database restored to an earlier moment under load, with a real issuer, a real service and `revocast recover`.

A checker knows every answer that the issuer gave. What it answered `published` must be refused by every service afterwards.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from revocast.issuer.bootstrap import Home
from revocast.issuer.storage import Storage
from revocast.issuer.storage.deployment import load_terms
from revocast.issuer.storage.log import head_of
from revocast.schemas.row import ROW_SIZE
from revocast.schemas.selector import FINGERPRINT_SIZE, Selector
from revocast.schemas.topics import Topics
from revocast.sdk import Guard, TokenRevoked
from tests.issuer.core.backup import Backup
from tests.issuer.core.conftest import database, postgres
from tests.issuer.core.reader import read, until
from tests.issuer.http.process import COMMAND, IssuerProcess, revocast

__all__ = ["database", "postgres"]

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

_AUDIENCE = "orders"
_WRITERS = 4


@dataclass
class Checker:
    """Concurrent operators, and every answer that they got."""

    issuer: IssuerProcess
    published: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, prefix: str, token: str) -> ThreadPoolExecutor:
        """Writers that revoke one subject after the other until `stop` or until the issuer is gone."""
        pool = ThreadPoolExecutor(_WRITERS)
        for writer in range(_WRITERS):
            pool.submit(self._write, f"{prefix}-{writer}", token)
        return pool

    def _write(self, prefix: str, token: str) -> None:
        with httpx.Client(base_url=self.issuer.url, timeout=30) as http:
            number = 0
            while not self.stop.is_set():
                sub, number = f"{prefix}-{number}", number + 1
                try:
                    answer = http.post(
                        "/v1/revocations",
                        headers={"Authorization": f"Bearer {token}"},
                        json={"selector": {"kind": "subject", "values": [sub]}, "slot": "block"},
                    )
                except httpx.TransportError:
                    self.unanswered.append(sub)
                    return
                assert answer.is_success, answer.text
                (self.published if answer.json()["status"] == "published" else self.pending).append(sub)

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.published) < count:
            assert time.monotonic() < deadline, f"only {len(self.published)} were published"
            time.sleep(0.01)


@pytest.fixture
def issuer(tmp_path: Path, kafka: str, topics: Topics, database: str | None) -> Iterator[IssuerProcess]:
    with IssuerProcess(tmp_path / "home", kafka, topics.prefix, database_url=database) as issuer:
        issuer.wait_for_relay("publishing")
        yield issuer


def operator_token(issuer: IssuerProcess) -> str:
    form = {"grant_type": "client_credentials"}
    answer = issuer.http.post("/oauth/token", auth=issuer.operator, data=form)
    return str(answer.json()["access_token"])


def sign_in(issuer: IssuerProcess, sub: str) -> str:
    body = {"client_id": "shop", "sub": sub, "audience": _AUDIENCE}
    return str(issuer.operate("POST", "/v1/tokens", json=body)["access_token"])


async def control_records(kafka: str, topics: Topics) -> dict[str, list[bytes | None]]:
    names = [spec.name for spec in topics.specs(replicas=1) if spec.control]
    return {name: [record.value for record in await read(kafka, name)] for name in names}


def recover(issuer: IssuerProcess, *options: str) -> dict[str, Any]:
    ended = revocast("recover", "--json", *options, **issuer.environment)
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def killed_in_the_middle(issuer: IssuerProcess, head: Any, restored: tuple[int, int]) -> None:
    """Start `revocast recover` and kill it once it has written something."""
    process = subprocess.Popen(
        [COMMAND, "recover"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **issuer.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while head() == restored:
        assert process.poll() is None and time.monotonic() < deadline, "it wrote nothing"
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it was still at work"


def has_applied(guard: Guard, n: int) -> bool:
    position = guard.table()[0]
    return position is not None and position.n == n


async def test_restored_under_load_nothing_acknowledged_is_lost_and_nothing_is_published_before_recover(
    issuer: IssuerProcess, kafka: str, topics: Topics, tmp_path: Path, database: str | None
) -> None:
    """On SQLite `recover` is killed in the middle and run again; on PostgreSQL somebody revoked before it was run."""
    home = Home(issuer.home)
    url = issuer.environment.get("REVOCAST_DATABASE_URL", home.database_url)
    storage = Storage(url)

    def head() -> tuple[int, int]:
        with storage.read() as session:
            found = head_of(session)
            return found.epoch, found.n

    body = {"audience": _AUDIENCE, "name": "Orders", "scopes": ["read"]}
    issuer.operate("POST", "/v1/resource-servers", json=body)
    client = {"name": "Shop", "client_id": "shop", "access": {_AUDIENCE: ["read"]}}
    issuer.operate("POST", "/v1/clients", json=client)
    before_backup, after_backup, untouched = (sign_in(issuer, f"user-{n}") for n in range(3))
    with storage.read() as session:
        terms = load_terms(session)
    guard = Guard(issuer.url, _AUDIENCE, kafka, terms.root, prefix=topics.prefix, startup_timeout=30)
    async with guard:
        issuer.revoke("user-0")
        checker, token = Checker(issuer), operator_token(issuer)
        writers = checker.run("load", token)
        checker.wait_for(100)
        backup = Backup(url, tmp_path)
        at_backup = len(checker.published)
        checker.wait_for(at_backup + 200)
        issuer.revoke("user-1")
        issuer.operate("POST", "/v1/keys/rotate", json={})
        checker.wait_for(at_backup + 500)
        issuer.kill()
        checker.stop.set()
        writers.shutdown()
        storage.close()
        backup.restore()
        restored = head()
        on_kafka = await control_records(kafka, topics)
        lost = (1, len(on_kafka[topics.revocations]))  # what was committed last may not have got there
        assert restored < lost

        issuer.start()
        issuer.wait_for_relay("refusing")
        late = ["user-late"] if database else []
        assert [issuer.revoke(sub)["status"] for sub in late] == ["pending" for _ in late]
        issuer.terminate()
        issuer.wait()
        assert await control_records(kafka, topics) == on_kafka, "nothing was published before recover"

        planned = recover(issuer, "--dry-run")
        assert planned["records"] == lost[1] - restored[1] >= 125  # four writers: at most four to a record
        if database is None:
            killed_in_the_middle(issuer, head, restored)
            reached = head()
            assert restored < reached <= lost
            issuer.start()
            issuer.wait_for_relay("refusing")
            issuer.terminate()
            issuer.wait()
            restored = reached
        account = recover(issuer)
        storage.close()
        assert await control_records(kafka, topics) == on_kafka, "nor by it, killed or not"
        assert account["records"] == lost[1] - restored[1] and account["head"] == planned["head"]

        issuer.start()
        issuer.wait_for_relay("publishing")
        receipt = issuer.revoke("user-2-not")
        assert receipt["status"] == "published"
        async with Guard(
            issuer.url, _AUDIENCE, kafka, terms.root, prefix=topics.prefix, startup_timeout=30
        ) as late_guard:
            for one in (guard, late_guard):
                await until(partial(has_applied, one, receipt["n"]), "it follows")
                table = one.table()[1]
                fingerprints = {
                    table[start : start + FINGERPRINT_SIZE] for start in range(0, len(table), ROW_SIZE)
                }
                for sub in [*checker.published, *late]:
                    assert terms.name(Selector.subject(issuer.url, sub))[0] in fingerprints, sub
                for revoked in (before_backup, after_backup):
                    with pytest.raises(TokenRevoked):
                        one.verify(revoked)
                assert one.verify(untouched)["sub"] == "user-2"
                assert one.health().ready
            assert guard.table() == late_guard.table()
