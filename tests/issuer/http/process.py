"""The issuer as its users run it: `revocast init`, then `revocast serve issuer`, a process of its own on a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

COMMAND = str(Path(sys.executable).with_name("revocast"))
DEADLINE_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def revocast(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REVOCAST_")}
    return subprocess.run(
        [COMMAND, *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class IssuerProcess:
    """One issuer process. Several may share a `home`, and with it the database."""

    def __init__(
        self,
        home: Path,
        kafka: str,
        prefix: str,
        issuer: str | None = None,
        *,
        database_url: str | None = None,
    ) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.parent / f"issuer-{self.port}.log"
        self.environment = {"REVOCAST_HOME": str(home), "REVOCAST_KAFKA": kafka, "REVOCAST_PREFIX": prefix}
        if database_url is not None:
            self.environment["REVOCAST_DATABASE_URL"] = database_url
        self._process: subprocess.Popen[bytes] | None = None
        if issuer is None:
            made = revocast("init", "--issuer", self.url, **self.environment)
            assert made.returncode == 0, made.stderr
        operator = json.loads((home / "operator.json").read_text())
        self.operator = (operator["client_id"], operator["client_secret"])
        self.http = httpx.Client(base_url=self.url, timeout=DEADLINE_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Start, and wait until it is ready."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REVOCAST_")}
        command = [COMMAND, "serve", "issuer", "--listen", f"127.0.0.1:{self.port}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**clean, **self.environment}, stdout=log, stderr=log
            )
        self.wait_for(self._is_ready)

    def terminate(self) -> None:
        """SIGTERM, as an orchestrator ends it; see `wait`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; the exit status."""
        assert self._process is not None
        return self._process.wait(DEADLINE_S)

    def kill(self) -> None:
        """SIGKILL: gone between two instructions."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def operate(self, method: str, path: str, **content: Any) -> Any:
        """An operator call that must work."""
        form = {"grant_type": "client_credentials"}
        token = self.http.post("/oauth/token", auth=self.operator, data=form).json()["access_token"]
        answer = self.http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **content)
        assert answer.is_success, answer.text
        return answer.json()

    def revoke(self, sub: str) -> Any:
        """Sign a user out."""
        body = {"selector": {"kind": "subject", "values": [sub]}, "slot": "cutoff"}
        return self.operate("POST", "/v1/revocations", json=body)

    def wait_for_relay(self, state: str) -> None:
        """Wait until this process's relay is in a state."""
        self.wait_for(lambda: self.http.get("/readyz").json()["relay"] == state)

    def wait_for(self, condition: Any) -> None:
        """Wait until something holds; fails with the process's log after the deadline."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError(f"not within {DEADLINE_S} s\n{self.log.read_text()}")

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/readyz").is_success
        except httpx.TransportError:
            return False
