"""The delegation list: what the offline root says about every other key.

* Signed by the root. Ordered by `version`; readers take the newest.
* `keys` are event-signing and snapshot-signing keys. A retired one carries a `bound` (epoch, n) and is accepted for records
  and manifests up to it, for nothing else. A compromised one is not listed.
* The list that opens an epoch has no `opened_by`, and record 1 of the epoch names its hash as `prev`; every later list of
  the epoch carries that hash in `opened_by`.
* `distrust` refuses kids, or everything, with issuer and database down.
* `roots` holds the first root and every hand-over since, each new root signed by the one before, so that a reader which
  slept, or pinned an old root, can follow. A hand-over names the issuer: what was signed for one deployment is good in no
  other that shares the root.
"""

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from revocast.schemas.errors import JoseError, MalformedEvent, SchemaError
from revocast.schemas.events import Digest, Event, EventBody, Model, Seconds, assemble
from revocast.schemas.jose import (
    Compact,
    PublicKey,
    b64u,
    canonical_json,
    parse_compact,
    parse_json,
    same_algorithm,
    thumbprint,
)
from revocast.schemas.signer import Signer

__all__ = [
    "MAX_LIST_BYTES",
    "Bound",
    "Delegate",
    "DelegationList",
    "Distrust",
    "Role",
    "RootChain",
    "Roots",
]

MAX_LIST_BYTES: Final = 128 * 1024
"""Of a list's payload: it is parsed before it can be verified, and anybody may write one. It is room for a hundred roots."""

_HANDOVER_TYP: Final = "revocast-root-handover+jwt"
_MAX_HANDOVER_BYTES: Final = 8192


class Role(StrEnum):
    """What a delegated key may sign."""

    EVENT = "event"
    SNAPSHOT = "snapshot"


class Bound(Model):
    """The last record that a retired key is good for."""

    epoch: int = Field(ge=1)
    n: int = Field(ge=0)


class Delegate(Model):
    """A key that the root delegated to: public JWK (its `kid` is its thumbprint), role, and the bound if it is retired."""

    jwk: dict[str, Any]
    role: Annotated[Role, Field(strict=False)]
    bound: Bound | None = None

    @cached_property
    def public(self) -> PublicKey:
        """The verification key. Raises `JoseError`."""
        return PublicKey.from_jwk(self.jwk)

    @model_validator(mode="after")
    def _is_a_key(self) -> Self:
        _ = self.public
        return self

    def covers(self, epoch: int, n: int) -> bool:
        """Whether a record or manifest at (epoch, n) lies within the bound."""
        return self.bound is None or (epoch, n) <= (self.bound.epoch, self.bound.n)


class Distrust(Model):
    """Break-glass: refuse what these kids signed, or everything."""

    kids: Annotated[tuple[str, ...], Field(strict=False)] = ()
    issuer: bool = False


class RootChain(NamedTuple):
    """The thumbprints of all roots, and the last one: the key that must have signed the list."""

    thumbprints: tuple[str, ...]
    last: PublicKey


class Roots(Model):
    """The first root's JWK and the hand-overs since, compact JWS each."""

    first: dict[str, Any]
    handovers: Annotated[tuple[str, ...], Field(strict=False, max_length=256)] = ()

    @classmethod
    def of(cls, event: Event) -> Self:
        """The roots of a delegation list that is not believed yet. Raises `MalformedEvent`."""
        try:
            return cls.model_validate(event.body.get("roots"))
        except ValidationError:
            raise MalformedEvent("roots: are not the first root and its hand-overs") from None

    def chain(self, pin: str, issuer: str) -> RootChain:
        """All roots of `issuer` in order, every hand-over after the pinned root verified. `pin` is a thumbprint.

        Raises `JoseError` when the pinned root is not among them, or naming the first hand-over that does not hold.
        No key is built before the pin was found, so a list of strangers costs its reader little.
        """
        handovers = [parse_compact(handover, _MAX_HANDOVER_BYTES) for handover in self.handovers]
        jwks = [
            self.first,
            *(_successor(handover, index, issuer) for index, handover in enumerate(handovers, start=1)),
        ]
        thumbprints = tuple(map(thumbprint, jwks))
        if pin not in thumbprints:
            raise JoseError("roots: do not lead back to the pinned root")
        pinned = thumbprints.index(pin)
        signer = PublicKey.from_jwk({**jwks[pinned], "kid": pin})
        for index in range(pinned, len(handovers)):
            handover = handovers[index]
            if not same_algorithm(handover.header.get("alg"), signer.alg) or not signer.verify(
                handover.signing_input, handover.signature
            ):
                raise JoseError(f"roots: hand-over {index + 1} is not signed by the root before it")
            signer = PublicKey.from_jwk({**jwks[index + 1], "kid": thumbprints[index + 1]})
        return RootChain(thumbprints, signer)

    def claimed(self) -> tuple[str, ...]:
        """The thumbprints of all roots, no hand-over verified: for whoever writes a list. Raises `JoseError`."""
        successors = (parse_json(parse_compact(each, _MAX_HANDOVER_BYTES).payload) for each in self.handovers)
        jwks = [self.first, *(body["jwk"] for body in successors if isinstance(body, dict) and "jwk" in body)]
        return tuple(map(thumbprint, jwks))

    def handed_over(self, current: Signer, successor: PublicKey, issuer: str) -> "Roots":
        """These roots of `issuer` and one more, signed by the current one."""
        header = {"alg": current.alg, "kid": current.kid, "typ": _HANDOVER_TYP}
        body = {"iss": issuer, "index": len(self.handovers) + 1, "jwk": dict(successor.jwk)}
        signing_input = f"{b64u(canonical_json(header))}.{b64u(canonical_json(body))}".encode()
        handover = assemble(signing_input, current.sign(signing_input)).decode()
        return Roots(first=self.first, handovers=(*self.handovers, handover))


class DelegationList(EventBody):
    """One version of the list. `expires_at` in seconds: readers warn from 60 days before."""

    TYPE: ClassVar[str] = "urn:revocast:event:delegations:1"
    TOPIC: ClassVar[str] = "keys"

    version: int = Field(ge=1)
    epoch: int = Field(ge=1)
    opened_by: Digest | None = None
    expires_at: Seconds
    keys: Annotated[tuple[Delegate, ...], Field(strict=False, min_length=1)]
    distrust: Distrust = Distrust()
    roots: Roots

    @model_validator(mode="after")
    def _unique(self) -> Self:
        kids = [delegate.public.kid for delegate in self.keys]
        if len(set(kids)) != len(kids):
            raise SchemaError("keys: a kid stands twice")
        return self

    @property
    def jti(self) -> str:
        """`delegations/<version>`."""
        return f"delegations/{self.version}"

    @property
    def key(self) -> bytes:
        """The Kafka key, the same as `jti`."""
        return self.jti.encode()

    def opener_hash(self, own_hash: bytes) -> bytes:
        """What record 1 of the epoch names as `prev`."""
        return self.opened_by or own_hash

    def delegate(self, kid: str, role: Role) -> Delegate | None:
        """The delegated key with this `kid` and role, retired or not."""
        return next((key for key in self.keys if key.role is role and key.public.kid == kid), None)


def _successor(handover: Compact, index: int, issuer: str) -> dict[str, Any]:
    body = parse_json(handover.payload)
    if (
        handover.header.get("typ") != _HANDOVER_TYP
        or not isinstance(body, dict)
        or body.get("iss") != issuer
        or body.get("index") != index
        or not isinstance(body.get("jwk"), dict)
    ):
        raise JoseError(f"roots: hand-over {index} is not well-formed, or of another issuer")
    jwk: dict[str, Any] = body["jwk"]
    return jwk
