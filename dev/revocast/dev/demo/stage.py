"""What a scene works with: users who sign in, the operator, and the three services to ask."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from revocast.cli.operator import Operator
from revocast.dev.demo.deployment import AUDIENCE, Deployment
from revocast.dev.demo.http import Caller
from revocast.dev.demo.probe import Probe
from revocast.dev.demo.report import Measured, Report
from revocast.schemas.jose import parse_compact, parse_json

__all__ = ["Stage"]

_CLIENT = "web-shop"
_MAX_TOKEN = 8192


class Stage:
    """`revoked`, `before_rotation` and `good` are tokens that one scene leaves to later ones: revoked early; signed by the
    first key; and never revoked.
    """

    def __init__(self, deployment: Deployment, operator: Operator, report: Report, samples: int) -> None:
        self.deployment = deployment
        self.operator = operator
        self.report = report
        self.samples = samples
        self.revoked = ""
        self.before_rotation = ""
        self.good = ""

    def register(self) -> None:
        """The shop and its web client."""
        shop = {"audience": AUDIENCE, "name": "The shop's services", "scopes": ["read"]}
        client = {"client_id": _CLIENT, "name": "Web shop", "access": {AUDIENCE: ["read"]}}
        self.operator.post("/v1/resource-servers", "revocast:clients", shop)
        self.operator.post("/v1/clients", "revocast:clients", client)

    def sign_in(self, sub: str) -> str:
        """A token of a user, by the operator API: the code grant comes later."""
        body = {"client_id": _CLIENT, "sub": sub, "audience": AUDIENCE}
        return str(self.operator.post("/v1/tokens", "revocast:mint", body)["access_token"])

    def revoke(self, kind: str, value: str, slot: str, reason: str = "demo") -> dict[str, Any]:
        """Write one revocation; answers when Kafka has it."""
        body = {"selector": {"kind": kind, "values": [value]}, "slot": slot, "reason": reason}
        return dict(self.operator.post("/v1/revocations", "revocast:revoke", body))

    def lift(self, kind: str, value: str, slot: str) -> dict[str, Any]:
        """Empty one slot."""
        body = {"selector": {"kind": kind, "values": [value]}, "slot": slot, "reason": "demo"}
        return dict(self.operator.post("/v1/lifts", "revocast:lift", body))

    def keys(self) -> dict[str, str]:
        """The state of every token-signing key, by kid."""
        return {key["kid"]: key["state"] for key in self.operator.get("/v1/keys", "revocast:read")["items"]}

    def ask(self, token: str) -> Mapping[str, int]:
        """What every service answers to a token now, by name."""
        answers = {}
        for name, port in self.deployment.ports.items():
            with Caller(port) as caller:
                answers[name] = caller.call("/whoami", token)[0]
        return answers

    def expect(self, token: str, status: int, text: str, *, within: float = 0.0) -> None:
        """Every service answers `status`, at the latest `within` seconds from now."""
        deadline = time.monotonic() + within
        while set(answers := self.ask(token).values()) != {status} and time.monotonic() < deadline:
            pass
        self.report.expect(set(answers) == {status}, f"{text} ({', '.join(map(str, answers))})")

    def measure(self, token: str, write: Callable[[], object]) -> Measured:
        """Do `write` while every service is asked about `token`, which it makes them refuse."""
        probe = Probe(self.deployment.ports, token)
        probe.start()
        called = time.monotonic()
        write()
        acknowledged = time.monotonic()
        refusals = probe.refusals()
        missing = sorted(set(self.deployment.ports) - set(refusals))
        if missing:
            self.report.expect(False, f"refused by {', '.join(missing)} within 10 s")
        at = {name: refusals[name].at for name in self.deployment.ports if name in refusals}
        return Measured(
            {name: moment - called for name, moment in at.items()},
            {name: moment - acknowledged for name, moment in at.items()},
        )


def claims_of(token: str) -> dict[str, Any]:
    """The claims, unverified: the demo only wants to name the token."""
    claims = parse_json(parse_compact(token, _MAX_TOKEN).payload)
    assert isinstance(claims, dict)
    return claims
