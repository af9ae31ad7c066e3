"""The issuer of a whole deployment, for rows that ask it: introspection is what a guard makes unnecessary."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.benchmark import Run
from revocast.cli.operator import Operator
from revocast.cli.settings import operator_settings
from revocast.dev.broker import Broker
from revocast.dev.demo.deployment import AUDIENCE, Deployment
from revocast.dev.demo.processes import Processes

__all__ = ["Issuer", "running_issuer"]


class Issuer:
    """One that runs. `deployment` has its addresses, `operator` writes to it."""

    def __init__(self, deployment: Deployment, operator: Operator) -> None:
        self.deployment = deployment
        self.operator = operator
        shop = {"audience": AUDIENCE, "name": "Shop", "scopes": ["read"]}
        self.operator.post("/v1/resource-servers", "revocast:clients", shop)
        web: dict[str, Any] = {"client_id": "web", "name": "Web", "access": {AUDIENCE: ["read"]}}
        self.operator.post("/v1/clients", "revocast:clients", web)
        service: dict[str, Any] = {"name": "Service", "access": {}, "introspects": [AUDIENCE]}
        made = self.operator.post("/v1/clients", "revocast:clients", service)
        self._credentials = (str(made["client_id"]), str(made["client_secret"]))

    def mint(self, sub: str) -> str:
        """A user's token."""
        body = {"client_id": "web", "sub": sub, "audience": AUDIENCE}
        return str(self.operator.post("/v1/tokens", "revocast:mint", body)["access_token"])

    def revoke(self, kind: str, value: str) -> None:
        """Refuse everything that this names; answers when Kafka has it."""
        body = {"selector": {"kind": kind, "values": [value]}, "slot": "block", "reason": "benchmark"}
        self.operator.post("/v1/revocations", "revocast:revoke", body)

    def asking(self) -> httpx.Client:
        """A connection that stays open, as the service's client."""
        return httpx.Client(base_url=self.deployment.issuer_url, auth=self._credentials)


@contextmanager
def running_issuer(run: Run, broker: Broker, prefix: str = "bench") -> Iterator[Issuer]:
    """An issuer over this broker, in a process of its own, on SQLite."""
    folder = Path(tempfile.mkdtemp(prefix="revocast-bench-"))
    with closing(Processes(folder)) as processes:
        deployment = Deployment(broker, processes, folder, prefix, log_level="warning")
        run.say("an issuer starts")
        deployment.init()
        deployment.run("topics", "ensure")
        deployment.start_issuer()
        with Operator(operator_settings(deployment.environ)) as operator:
            yield Issuer(deployment, operator)
