"""The real command against a real issuer on a real Kafka."""

import io
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from revocast.cli.app import run
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker.ports import free_ports
from revocast.dev.demo.http import answers
from revocast.dev.demo.processes import Process, Processes, wait_until

REVOCAST = (sys.executable, "-m", "revocast.cli")


@dataclass(frozen=True)
class Done:
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its answer, under --json."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """Runs `revocast` with these variables and no others of ours: everything of it but the start of a process."""

    environ: Mapping[str, str]

    def __call__(self, *arguments: str, stdin: str = "") -> Done:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in filter(lambda name: name.startswith("REVOCAST_"), list(os.environ)):
                patch.delenv(name)
            for name, value in {"TERM": "dumb", **self.environ}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            with ThreadPoolExecutor(1) as thread:  # an async test's own loop must not be in the way
                code = thread.submit(run, arguments).result()
        return Done(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str) -> Done:
        """The same as a process of its own."""
        environ = {**os.environ, "TERM": "dumb", **self.environ}
        command = [*REVOCAST, *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def having(self, **environ: str) -> "Cli":
        """The same with other variables."""
        return Cli({**self.environ, **environ})


@pytest.fixture
def cli(kafka: str, prefix: str, tmp_path: Path) -> Cli:
    """With a Kafka and an empty home."""
    return Cli({"REVOCAST_KAFKA": kafka, "REVOCAST_PREFIX": prefix, "REVOCAST_HOME": str(tmp_path)})


class Issuer:
    """An authority of its own, and the process that runs it; `cli` is its first operator's."""

    def __init__(self, kafka: str, folder: Path, processes: Processes) -> None:
        (self._port,) = free_ports(1)
        self._processes = processes
        self._process: Process | None = None
        self.home = folder / "home"
        self.url = f"http://127.0.0.1:{self._port}"
        self.cli = Cli(
            {
                "REVOCAST_KAFKA": kafka,
                "REVOCAST_PREFIX": f"test-{secrets.token_hex(6)}",
                "REVOCAST_HOME": str(self.home),
                "REVOCAST_ISSUER": self.url,
                "REVOCAST_LISTEN": f"127.0.0.1:{self._port}",
                "REVOCAST_PUBLISH_TIMEOUT": "20",  # on a busy machine, too, the answer is `published`
            }
        )

    def init(self, *options: str) -> Any:
        """Topics and authority; what `init` answered."""
        assert self.cli("topics", "ensure").code == 0
        made = self.cli("init", "--announce", "1", *options, "--json")
        assert made.code == 0, made.err
        return made.data

    def start(self) -> None:
        """Returns when it takes requests and can publish."""
        command, environ = [*REVOCAST, "serve", "issuer"], {**os.environ, **self.cli.environ}
        self._process = self._processes.start("issuer", command, environ)
        wait_until("the issuer's start", lambda: answers(self._port, "/readyz"), self._process)

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._processes.kill(self._process)


@contextmanager
def issuing(kafka: str, folder: Path, *init: str) -> Iterator[Issuer]:
    """A running issuer."""
    with closing(Processes(folder)) as processes:
        issuer = Issuer(kafka, folder, processes)
        issuer.init(*init)
        issuer.start()
        yield issuer


@pytest.fixture(scope="session")
def operator_cli(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """Of the first operator of a running issuer, which declares the claim `tenant`."""
    with issuing(kafka, tmp_path_factory.mktemp("issuer"), "--claim", "tenant") as issuer:
        yield issuer.cli


@pytest.fixture
def operator(operator_cli: Cli) -> Iterator[Operator]:
    """The client of the operator API, for what has no command yet."""
    with Operator(operator_settings(operator_cli.environ)) as operator:
        yield operator


@pytest.fixture(scope="session")
def shop(operator_cli: Cli) -> str:
    """The id of a client that may get tokens for the audience `shop`."""
    with Operator(operator_settings(operator_cli.environ)) as operator:
        operator.post(
            "/v1/resource-servers",
            "revocast:clients",
            {"audience": "shop", "name": "Shop", "scopes": ["read"]},
        )
        client = {"client_id": "web", "name": "Web", "access": {"shop": ["read"]}}
        return str(operator.post("/v1/clients", "revocast:clients", client)["client_id"])


@pytest.fixture
def token(operator: Operator, shop: str) -> str:
    """A token of alice."""
    body = {"client_id": shop, "sub": "alice", "audience": "shop"}
    return str(operator.post("/v1/tokens", "revocast:mint", body)["access_token"])
