"""One Compose project of the test's own: its name, its ports, its images' tag. Whatever else runs is left alone."""

import os
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

from revocast.dev.broker.ports import free_ports

ROOT = Path(__file__).parents[2]
PLAIN = ("docker-compose.yml",)
HARDENED = (*PLAIN, "docker-compose.hardened.yml")
IMAGES = ("setup", "issuer", "streams", "service")


class ComposeError(AssertionError):
    """`docker compose` failed; the message is what it said."""


class Composed:
    """`docker compose` with `files`, on images of `tag`."""

    def __init__(self, files: Sequence[str], tag: str) -> None:
        self.project = f"revocast-test-{secrets.token_hex(4)}"
        self.issuer_port, self.streams_port, self.orders_port = free_ports(3)
        self._environ = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_FILE": os.pathsep.join(files),
            "COMPOSE_PARALLEL_LIMIT": "1",  # the classic builder makes every stage once only if asked one after another
            "REVOCAST_TAG": tag,
            "REVOCAST_ISSUER_PORT": str(self.issuer_port),
            "REVOCAST_STREAMS_PORT": str(self.streams_port),
            "REVOCAST_ORDERS_PORT": str(self.orders_port),
        }

    def run(self, *arguments: str, timeout: float = 120) -> str:
        """What it wrote. Raises `ComposeError` unless it ends with 0."""
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=ROOT,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise ComposeError(
                f"docker compose {' '.join(arguments)}: {done.returncode}\n{done.stderr}{done.stdout}"
            )
        return done.stdout

    def up(self) -> None:
        """Everything runs and says that it is healthy."""
        try:
            self.run("up", "--detach", "--wait", "--no-build", timeout=300)
        except ComposeError as error:
            raise ComposeError(f"{error}\n{self.run('logs', '--tail', '40')}") from None

    def down(self, *arguments: str) -> None:
        """Nothing runs; with `--volumes` nothing is left."""
        self.run("--profile", "*", "down", "--remove-orphans", *arguments)

    def exec(self, service: str, *command: str) -> str:
        """What `command` wrote in the running container."""
        return self.run("exec", "--no-TTY", service, *command)

    def revocast(self, *arguments: str) -> str:
        """The operator's command, as docs/containers.md has it."""
        return self.exec("issuer", "revocast", *arguments)
