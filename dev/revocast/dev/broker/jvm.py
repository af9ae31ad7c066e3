"""Kafka as local JVM processes, one per node, in a temporary folder."""

import base64
import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from revocast.dev.broker import artifacts
from revocast.dev.broker.archive import archive
from revocast.dev.broker.artifacts import Kafka, Progress
from revocast.dev.broker.config import node_properties
from revocast.dev.broker.errors import BrokerError
from revocast.dev.broker.hardening import Hardening
from revocast.dev.broker.ports import free_ports
from revocast.dev.broker.readiness import wait_ready
from revocast.dev.broker.reaper import Reaper

# A node lives for seconds or minutes: start quickly and stay small rather than be fast in the long run.
_FLAGS = (
    *("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
_STOP_TIMEOUT = 30.0  # seconds; then SIGKILL


class JvmBroker:
    """Starts at once; `close` kills the processes and deletes their data. Also when this process dies."""

    def __init__(
        self, kafka: Kafka, nodes: int, flags: tuple[str, ...] = (), *, hardened: bool = False
    ) -> None:
        self.nodes = nodes
        self._kafka = kafka
        self._folder = Path(tempfile.mkdtemp(prefix="revocast-kafka-"))
        self._reaper = Reaper(self._folder)
        self._flags = (*flags, *_FLAGS, f"-Djava.io.tmpdir={self._folder}")
        addresses = [f"127.0.0.1:{port}" for port in free_ports(3 * nodes)]
        self._addresses, addresses = addresses[:nodes], addresses[nodes:]
        self._controllers, self._mtls = addresses[:nodes], addresses[nodes:]
        self._hardening = Hardening(self._folder / "tls") if hardened else None
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        try:
            self._format()
            for node in range(nodes):
                self._launch(node)
            self._wait_ready(range(nodes))
        except BaseException:  # Ctrl-C while it starts included.
            self.close()
            raise

    @classmethod
    def launch(cls, nodes: int, progress: Progress, *, hardened: bool = False) -> "JvmBroker":
        """Fetch what is missing, then start. Raises BrokerError saying what to install."""
        kafka = artifacts.kafka(progress)

        def train(flags: tuple[str, ...]) -> None:
            trainee = cls(kafka, 1, flags)
            try:
                trainee.stop()
            finally:
                trainee.close()

        classes = archive(kafka, progress, train)
        shared = (f"-XX:SharedArchiveFile={classes}", "-Xshare:auto") if classes else ()
        return cls(kafka, nodes, shared, hardened=hardened)

    @property
    def bootstrap(self) -> str:
        return ",".join(self._addresses)

    @property
    def bootstrap_mtls(self) -> str:
        """`host:port` of each hardened node's listener for clients with a certificate."""
        return ",".join(self._mtls)

    @property
    def hardening(self) -> Hardening:
        """Credentials for a hardened one."""
        if self._hardening is None:
            raise BrokerError("This broker asks for no credentials.")
        return self._hardening

    def kill(self, node: int = 0) -> None:
        self._signal(node, signal.SIGKILL)
        self._reap(node)

    def stop(self, node: int = 0) -> None:
        self._signal(node, signal.SIGTERM)
        try:
            self._processes[node].wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._processes[node].kill()
        self._reap(node)

    def start(self, node: int = 0) -> None:
        if node in self._processes:
            raise BrokerError(f"Node {node} is running.")
        self._launch(node)
        self._wait_ready([node])

    def pause(self, node: int = 0) -> None:
        self._signal(node, signal.SIGSTOP)

    def resume(self, node: int = 0) -> None:
        self._signal(node, signal.SIGCONT)

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
        for node in list(self._processes):
            self._reap(node)
        self._reaper.close()

    def _format(self) -> None:
        """Write each node's configuration and format its data folder, all at once."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        for node in range(self.nodes):
            properties = node_properties(
                node,
                client_listener=self._addresses[node],
                advertised=self._addresses[node],
                controllers=self._controllers,
                controller_listener=self._controllers[node],
                data=str(self._folder / f"data-{node}"),
            )
            arguments: list[str] = []
            if self._hardening:
                properties = self._hardening.properties(properties, self._mtls[node])
                arguments = self._hardening.format_arguments
            text = "".join(f"{name}={value}\n" for name, value in properties.items())
            self._config(node).write_text(text)
            self._processes[node] = self._java(
                node,
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={cluster}",
                "-c",
                str(self._config(node)),
                *arguments,
            )
        for node, process in list(self._processes.items()):
            code = process.wait()
            self._reap(node)
            if code != 0:
                raise BrokerError(f"Kafka could not format its data folder.\n{self._log_tail(node)}")

    def _launch(self, node: int) -> None:
        self._processes[node] = self._java(node, "kafka.Kafka", str(self._config(node)))

    def _java(self, node: int, *arguments: str) -> subprocess.Popen[bytes]:
        jars = os.pathsep.join(map(str, self._kafka.jars))
        with self._log(node).open("ab") as log:
            process = subprocess.Popen(
                [self._kafka.java, *self._flags, "-cp", jars, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to us; we end it in our own order.
            )
        self._reaper.watch("pid", process.pid)
        return process

    def _wait_ready(self, nodes: "range | list[int]") -> None:
        wait_ready({node + 1: self._addresses[node] for node in nodes}, self._ended, self._login)

    def _login(self) -> Mapping[str, Any]:
        return self._hardening.settings("admin", self.bootstrap).client_options() if self._hardening else {}

    def _ended(self) -> str | None:
        for node, process in self._processes.items():
            if process.poll() is not None:
                return self._log_tail(node)
        return None

    def _signal(self, node: int, signum: signal.Signals) -> None:
        if node not in self._processes:
            raise BrokerError(f"Node {node} is not running.")
        self._processes[node].send_signal(signum)

    def _reap(self, node: int) -> None:
        process = self._processes.pop(node)
        process.wait()
        self._reaper.forget("pid", process.pid)

    def _config(self, node: int) -> Path:
        return self._folder / f"node-{node}.properties"

    def _log(self, node: int) -> Path:
        return self._folder / f"node-{node}.log"

    def _log_tail(self, node: int) -> str:
        lines = self._log(node).read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines[-40:] if not line.lstrip().startswith("at "))
