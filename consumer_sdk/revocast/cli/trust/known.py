"""What is known of a deployment's trust before the root's holder decides: the list in force, verified, and the issuer's keys.

It comes from the issuer (`GET /v1/trust`), from a bundle of the same form that `trust request` wrote, or, as the list alone,
from Kafka. A bound, a root, an epoch is believed only as the list says it; the issuer's word counts for what no list says yet:
pending keys, and the last record that a key signed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from revocast.cli.errors import Misused, Refused
from revocast.schemas.delegating import InForce
from revocast.schemas.delegations import Bound, Delegate, DelegationList, Role
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PublicKey, thumbprint
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome

__all__ = ["Bundle", "KnownKey", "KnownTrust", "taken_by"]

State = Literal["pending", "active", "retired", "compromised", "delegated"]


class _Answer(BaseModel):
    # Of an issuer that may be newer: what is not known here is left alone.
    model_config = ConfigDict(frozen=True, extra="ignore")


class KnownKey(_Answer):
    """A key as the issuer knows it. `last` is the last record that it signed."""

    kid: str
    role: Role
    state: State
    jwk: dict[str, Any]
    bound: Bound | None = None
    last: Bound | None = None

    @model_validator(mode="after")
    def _is_what_its_name_says(self) -> Self:
        # The holder compares kids before he signs: none may stand for another key.
        if not self.kid == thumbprint(self.jwk) == PublicKey.from_jwk(self.jwk).kid:
            raise SchemaError("kid: is not the thumbprint of the key")
        return self


class Bundle(_Answer):
    """The answer of `GET /v1/trust`. `list` is null before the first one; `epoch` and `n` are the issuer's head."""

    issuer: str
    list: str | None = None
    epoch: int = Field(1, ge=0)  # 0 before the first list
    n: int = Field(0, ge=0)
    root: str = ""
    keys: tuple[KnownKey, ...] = ()
    reissuing: bool = False

    @classmethod
    def parse(cls, content: object, origin: str) -> Self:
        """Raises `Misused`, naming where it came from and the field that is wrong."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise Misused(
                f"{origin}: {where}: {first['msg']}", "Make it anew: revocast trust request"
            ) from None


@dataclass(frozen=True)
class KnownTrust:
    """`trust` has taken the list in force; `origin` says where it came from, `pinned` whether its root was known before."""

    issuer: str
    compact: bytes
    in_force: InForce
    trust: Trust
    keys: tuple[KnownKey, ...]
    head: Bound | None
    reissuing: bool
    pinned: bool
    origin: str

    @classmethod
    def of_bundle(cls, bundle: Bundle, pin: str | None, origin: str) -> Self:
        """Raises `Refused` for a list that does not lead back to `pin`, a thumbprint; without one, to its own first root."""
        if bundle.list is None:
            raise Refused(
                f"{bundle.issuer} has no delegation list yet", "Sign the first one: revocast trust init"
            )
        known = cls.of_list(bundle.list.encode(), bundle.issuer, pin, origin)
        head = Bound(epoch=bundle.epoch, n=bundle.n)
        return cls(**{**vars(known), "keys": bundle.keys, "head": head, "reissuing": bundle.reissuing})

    @classmethod
    def of_list(cls, compact: bytes, issuer: str, pin: str | None, origin: str) -> Self:
        """The list alone. Raises `Refused`."""
        compact = compact.strip()
        try:
            root = pin or thumbprint(InForce.read(compact).listed.roots.first)
        except SchemaError as error:
            raise Refused(f"{origin}: is not a delegation list: {error}") from None
        trust = Trust(issuer, root)
        if problem := taken_by(trust, compact):
            raise Refused(f"{origin}: the delegation list is not to be believed: {problem}", _PIN_HINT)
        in_force = InForce.read(compact)
        keys = tuple(map(_listed_key, in_force.listed.keys))
        return cls(issuer, compact, in_force, trust, keys, None, False, pin is not None, origin)

    @property
    def roots(self) -> tuple[str, ...]:
        """The thumbprints of all roots, the newest last."""
        return self.in_force.listed.roots.chain(self.trust.root, self.issuer).thumbprints

    def key(self, kid: str) -> KnownKey:
        """The key of this name. Raises `Misused`."""
        found = next((key for key in self.keys if key.kid == kid), None)
        if found is None:
            raise Misused(f"{kid} is no event or snapshot key of this deployment", "See: revocast trust show")
        return found

    def pending(self) -> Iterator[KnownKey]:
        """Event keys that the issuer made and no list delegates yet, the newest last."""
        listed = {key.public.kid for key in self.in_force.listed.keys}
        return (key for key in self.keys if key.state == "pending" and key.kid not in listed)


_PIN_HINT = (
    "Is this the root of this deployment, and has it handed over to another since? See: revocast trust show"
)


def taken_by(trust: Trust, compact: bytes) -> str:
    """Let a reader judge a delegation list: why it does not take it; empty: it does."""
    before = trust.delegations
    verdict = trust.receive(compact, 0)[0]
    if verdict.outcome is Outcome.APPLIED and trust.delegations is not before:
        return ""
    try:
        if Envelope.parse(compact).event().type != DelegationList.TYPE:
            return "is not a delegation list"
    except SchemaError as error:
        return str(error)
    return verdict.reason


def _listed_key(key: Delegate) -> KnownKey:
    state: Mapping[bool, State] = {True: "retired", False: "delegated"}
    return KnownKey(
        kid=key.public.kid,
        role=key.role,
        state=state[key.bound is not None],
        jwk=key.jwk,
        bound=key.bound,
    )
