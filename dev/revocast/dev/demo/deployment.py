"""Every process of the demo, and how each is started: the composition root."""

import json
import os
import subprocess
import sys
from pathlib import Path

from revocast.dev.broker import Broker
from revocast.dev.broker.ports import free_ports
from revocast.dev.demo.http import answers
from revocast.dev.demo.processes import DemoError, Process, Processes, wait_until
from revocast.schemas.topics import Topics

__all__ = ["AUDIENCE", "SERVICES", "Deployment"]

SERVICES = ("orders", "billing", "reports")
AUDIENCE = "shop"
"""The three services take the same tokens, as the parts of one shop do."""

ANNOUNCE_S = 3
_EXAMPLE = Path(__file__).parents[4] / "examples/fastapi_service"


class Deployment:
    """One issuer, one streams worker and three services over one broker, each its own process. `folder` is theirs, and so
    are the topics under `prefix`.
    """

    def __init__(
        self, broker: Broker, processes: Processes, folder: Path, prefix: str, log_level: str = "info"
    ) -> None:
        self._processes = processes
        self._services: dict[str, Process] = {}
        self._issuer: Process | None = None
        issuer, streams, *services = free_ports(2 + len(SERVICES))
        self.home = folder / "issuer"
        self.kafka = broker.bootstrap
        self.prefix = prefix
        self.ports = dict(zip(SERVICES, services, strict=True))
        self.issuer_url = f"http://127.0.0.1:{issuer}"
        self.streams_url = f"http://127.0.0.1:{streams}"
        self.root = self.snapshot_key = ""
        self._issuer_port, self._streams_port = issuer, streams
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REVOCAST_")}
        self.environ = {
            **inherited,
            "REVOCAST_KAFKA": self.kafka,
            "REVOCAST_PREFIX": self.prefix,
            "REVOCAST_ISSUER": self.issuer_url,
            "REVOCAST_AUDIENCE": AUDIENCE,
            "REVOCAST_LOG_LEVEL": log_level,
            "REVOCAST_HOME": str(self.home),
            "REVOCAST_LISTEN": f"127.0.0.1:{issuer}",
            "REVOCAST_STREAMS_LISTEN": f"127.0.0.1:{streams}",
            "REVOCAST_STREAMS_DATADIR": str(folder / "streams"),
        }
        self._folder = folder

    @property
    def topics(self) -> Topics:
        """The demo's own topics."""
        return Topics(self.prefix)

    def run(self, *arguments: str) -> str:
        """Run `revocast` and return what it wrote. Raises `DemoError`."""
        done = subprocess.run(
            [*_REVOCAST, *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise DemoError(
                f"revocast {' '.join(arguments)} ended with {done.returncode}.\n{done.stderr}{done.stdout}"
            )
        return done.stdout

    def init(self) -> None:
        """Make the authority."""
        made = json.loads(self.run("init", "--announce", str(ANNOUNCE_S), "--json"))
        self.root, self.snapshot_key = str(made["root"]), str(made["snapshot_key"])

    def start_issuer(self) -> None:
        """Returns when it takes requests and can publish."""
        self._issuer = self._processes.start("issuer", [*_REVOCAST, "serve", "issuer"], self.environ)
        wait_until("the issuer's start", lambda: answers(self._issuer_port, "/readyz"), self._issuer)

    @property
    def issuer_pid(self) -> int:
        """The process that `start_issuer` started."""
        assert self._issuer is not None
        return self._issuer.pid

    def kill_issuer(self) -> None:
        """SIGKILL."""
        assert self._issuer is not None
        self._processes.kill(self._issuer)
        self._issuer = None

    def start_readers(self) -> None:
        """Streams and the services, all at once; returns when all are ready."""
        environ = {**self.environ, "REVOCAST_ROOT": self.root, "REVOCAST_SNAPSHOT_KEY": self.snapshot_key}
        streams = self._processes.start("streams", [*_REVOCAST, "serve", "streams"], environ)
        self._launch_services()
        self._await_services()
        wait_until("streams' start", lambda: answers(self._streams_port, "/readyz"), streams)

    def restart_services(self) -> None:
        """Stop all three and start them again; returns when all are ready."""
        for process in self._services.values():
            self._processes.stop(process)
        self._launch_services()
        self._await_services()

    def _launch_services(self) -> None:
        for name, port in self.ports.items():
            # One state folder each, as on hosts of their own: what the guard remembers between two starts.
            environ = {**self.environ, "REVOCAST_STATE_DIR": str(self._folder / name)}
            command = [
                "--app-dir",
                str(_EXAMPLE),
                "--port",
                str(port),
                "--log-level",
                "warning",
                "service:app",
            ]
            self._services[name] = self._processes.start(name, [*_UVICORN, *command], environ)

    def _await_services(self) -> None:
        for name, process in self._services.items():
            port = self.ports[name]
            wait_until(f"the start of {name}", lambda port=port: answers(port, "/healthz"), process)  # type: ignore[misc]


_REVOCAST = (sys.executable, "-m", "revocast.cli")
_UVICORN = (sys.executable, "-m", "uvicorn")
