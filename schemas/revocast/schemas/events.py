"""Security Event Tokens (RFC 8417): the one envelope of everything on a control topic.

* A compact JWS with `typ: secevent+jwt`, a `kid` and the key's own `alg`; claims `iss`, `aud`, `iat`, `jti` and `events`
  with exactly one event, of a type of ours. `iat` is the event's `t`: seconds, the issuer's clock.
* `aud` is the topic that the event is for, without the prefix. A genuine event that somebody copied to another topic is
  no event there, of whatever type: it is rejected, and asks nobody to upgrade.
* The hash of an event is SHA-256 over its signing input, so a signature that was rewritten changes no hash.
* The payload is parsed only after the signature was verified (`Envelope.verified_by`, then `Envelope.event`).
* A reader that does not understand a signed event must say so, unless the event says `ignorable: true`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)

from revocast.schemas.errors import JoseError, MalformedEvent
from revocast.schemas.jose import (
    PublicKey,
    b64u,
    canonical_json,
    parse_compact,
    parse_json,
    same_algorithm,
    unb64u,
)
from revocast.schemas.row import NEVER
from revocast.schemas.signer import Signer

__all__ = [
    "MAX_EVENT_BYTES",
    "Base64Url",
    "Digest",
    "Envelope",
    "Event",
    "EventBody",
    "Model",
    "Seconds",
    "assemble",
]

MAX_EVENT_BYTES: Final = 512 * 1024
TYP: Final = "secevent+jwt"


def _bytes_of(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return unb64u(value)
    raise ValueError("must be base64url text")


def _digest_of(value: object) -> bytes:
    digest = _bytes_of(value)
    if len(digest) != hashlib.sha256().digest_size:
        raise ValueError("must be 32 bytes")
    return digest


Base64Url = Annotated[
    bytes,
    PlainValidator(_bytes_of),
    PlainSerializer(b64u, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]*$"}),
]
Digest = Annotated[
    bytes,
    PlainValidator(_digest_of),
    PlainSerializer(b64u, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$", "description": "SHA-256, base64url"}),
]
Seconds = Annotated[int, Field(ge=0, lt=NEVER, description="seconds since 1970")]


class Model(BaseModel):
    """Frozen and strict: what is not in the contract is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class EventBody(Model):
    """What one event says. `t` travels as the token's `iat`; every other field in the event's own object."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]

    t: Seconds

    @property
    def jti(self) -> str:
        """The token's `jti`: stable for the same content position, so a repeated publish is recognizable."""
        raise NotImplementedError

    @property
    def key(self) -> bytes:
        """The Kafka record's key. Readers trust it with nothing."""
        raise NotImplementedError

    def signing_input(self, issuer: str, kid: str, alg: str) -> bytes:
        """The bytes to sign (RFC 7515 §5.1). The same content gives the same bytes."""
        claims = {
            "iss": issuer,
            "aud": self.TOPIC,
            "iat": self.t,
            "jti": self.jti,
            "events": {self.TYPE: self.model_dump(mode="json", exclude={"t"})},
        }
        header = {"alg": alg, "kid": kid, "typ": TYP}
        return f"{b64u(canonical_json(header))}.{b64u(canonical_json(claims))}".encode()

    def signed(self, issuer: str, key: Signer) -> bytes:
        """The whole token, signed."""
        signing_input = self.signing_input(issuer, key.kid, key.alg)
        return assemble(signing_input, key.sign(signing_input))

    @classmethod
    def from_event(cls, event: "Event") -> Self:
        """Read an event of this type. Raises `MalformedEvent`, naming the field."""
        if event.type != cls.TYPE:
            raise MalformedEvent(f"events: {event.type!r} is not {cls.TYPE}")
        try:
            body = cls.model_validate({**event.body, "t": event.t})
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise MalformedEvent(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if body.jti != event.jti:
            raise MalformedEvent("jti: does not fit the content")
        return body


@dataclass(frozen=True)
class Event:
    """A payload whose signature was verified."""

    issuer: str
    topic: str
    t: int
    jti: str
    type: str
    body: Mapping[str, Any]
    ignorable: bool


@dataclass(frozen=True)
class Envelope:
    """A token of which only the header has been read."""

    kid: str
    alg: str
    payload: bytes
    signing_input: bytes
    signature: bytes

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read the header. Raises `JoseError` for anything but a strict compact JWS with our `typ`."""
        compact = parse_compact(value, MAX_EVENT_BYTES)
        kid, alg = compact.header.get("kid"), compact.header.get("alg")
        if compact.header.get("typ") != TYP:
            raise JoseError(f"typ: is not {TYP}")
        if not isinstance(kid, str) or not isinstance(alg, str):
            raise JoseError("kid and alg: must be strings")
        return cls(kid, alg, compact.payload, compact.signing_input, compact.signature)

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the signing input: what `prev` and checkpoints name."""
        return hashlib.sha256(self.signing_input).digest()

    def verified_by(self, key: PublicKey) -> bool:
        """Whether `key` signed it, with the key's own algorithm."""
        return same_algorithm(self.alg, key.alg) and key.verify(self.signing_input, self.signature)

    def event(self) -> Event:
        """Parse the payload. Call it after `verified_by`. Raises `MalformedEvent` or `JoseError`."""
        claims = parse_json(self.payload)
        if not isinstance(claims, dict):
            raise MalformedEvent("claims: not an object")
        issuer, topic, t, jti, events = (claims.get(name) for name in ("iss", "aud", "iat", "jti", "events"))
        if not isinstance(issuer, str) or not isinstance(topic, str) or not isinstance(jti, str):
            raise MalformedEvent("iss, aud and jti: must be strings")
        if type(t) is not int or not 0 <= t < NEVER:
            raise MalformedEvent("iat: must be whole seconds")
        if not isinstance(events, dict) or len(events) != 1:
            raise MalformedEvent("events: must hold exactly one event")
        ((event_type, body),) = events.items()
        if not isinstance(body, dict):
            raise MalformedEvent("events: the event is not an object")
        return Event(issuer, topic, t, jti, event_type, body, claims.get("ignorable") is True)


def assemble(signing_input: bytes, signature: bytes) -> bytes:
    """The compact token of a signing input and its signature."""
    return signing_input + b"." + b64u(signature).encode()
