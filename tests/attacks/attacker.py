"""Someone with write access to every topic, and no delegated key that is in force: hostile records without end.

Each is made of what the attacker can read (genuine records), of keys of his own, of the token-signing key, and of event keys
that were stolen after they had been retired or were known to be compromised. The same seed gives the same records.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from revocast.schemas.jose import PrivateKey
from revocast.sdk.freshness import Topic
from tests.attacks.forging import claims_of, compact, header_of, signed

__all__ = ["BROKER_LIMIT", "Attacker", "Shot"]

BROKER_LIMIT = 1_000_000
"""Bytes of a value that a broker takes by default, with room for its overhead."""
_ODD: Sequence[Any] = (
    -1, 0, 1, 2**31, 2**53 + 1, 2**63, 10**19, 10**30, 1.5, 1e308, True, None, "1", "", [], {}, [[]],
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shot:
    """One hostile record: what kind of mutation, where to, and what Kafka is told. Keys and headers lie, too."""

    kind: str
    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class Attacker:
    """`genuine` is what stands on each topic; `stolen` are keys that were once an event key or a token key."""

    genuine: Mapping[Topic, Sequence[bytes]]
    stolen: Sequence[PrivateKey] = ()
    seed: int = 4
    own: PrivateKey = field(default_factory=PrivateKey.generate)

    def __post_init__(self) -> None:
        self._kids = sorted({str(header_of(v)["kid"]) for values in self.genuine.values() for v in values})
        self._names = [PrivateKey(self.own._key, self.own.alg, kid=kid) for kid in self._kids]
        self._giants = list(self._make_giants(random.Random(self.seed)))
        self._kinds: Mapping[str, tuple[int, Callable[[random.Random, Topic], bytes | None]]] = {
            "bits flipped": (20, self._flipped),
            "truncated": (8, self._truncated),
            "numbers changed": (14, self._renumbered),
            "members changed": (8, self._remembered),
            "headers changed": (8, self._reheaded),
            "signed by a stranger": (8, self._by_stranger),
            "signed by a stranger under our kid": (8, self._under_our_kid),
            "signed by a stolen key": (6, self._by_stolen),
            "replayed": (10, self._replayed),
            "copied from another topic": (4, self._copied),
            "tombstone": (2, lambda *_: None),
            "noise": (3, lambda rng, _: rng.randbytes(rng.randrange(2000))),
            "giant": (1, lambda rng, _: rng.choice(self._giants)),
        }

    def shots(self, count: int) -> Iterator[Shot]:
        """So many hostile records."""
        rng = random.Random(self.seed)
        names, weights = list(self._kinds), [weight for weight, _ in self._kinds.values()]
        for kind in rng.choices(names, weights, k=count):
            topic = rng.choice(list(Topic))
            value = self._kinds[kind][1](rng, topic)
            key = rng.choice((None, b"", b"1", b"7", b"checkpoint", b"key-set/1/1", rng.randbytes(20)))
            lies = [("content-type", b"application/secevent+jwt"), ("verified", b"true"), ("n", b"2")]
            yield Shot(kind, topic, key, value, lies if rng.random() < 0.1 else ())

    def _any(self, rng: random.Random, topic: Topic) -> bytes:
        return rng.choice(self.genuine[topic])

    def _replayed(self, rng: random.Random, topic: Topic) -> bytes:
        return self._any(rng, topic)

    def _copied(self, rng: random.Random, topic: Topic) -> bytes:
        return self._any(rng, rng.choice([other for other in Topic if other is not topic]))

    def _flipped(self, rng: random.Random, topic: Topic) -> bytes:
        value = bytearray(self._any(rng, topic))
        for _ in range(rng.choice((1, 1, 2, 8))):
            value[rng.randrange(len(value))] ^= 1 << rng.randrange(8)
        return bytes(value) if bytes(value) not in self.genuine[topic] else b""

    def _truncated(self, rng: random.Random, topic: Topic) -> bytes:
        value = self._any(rng, topic)
        start, end = rng.randrange(len(value)), rng.randrange(1, len(value))
        return rng.choice((value[:end], value[start:], value[:end] + value[start:], value + value))

    def _renumbered(self, rng: random.Random, topic: Topic) -> bytes:
        value = self._any(rng, topic)
        claims = claims_of(value)
        ((_, body),) = claims["events"].items()
        where = rng.choice((claims, body))
        numbers = [name for name, member in where.items() if isinstance(member, int)] or ["n"]
        where[rng.choice(numbers)] = rng.choice((*_ODD, rng.randrange(100)))
        return self._signed_as_before(value, claims)

    def _remembered(self, rng: random.Random, topic: Topic) -> bytes:
        value = self._any(rng, topic)
        claims = claims_of(value)
        ((_, body),) = claims["events"].items()
        where = rng.choice((claims, body, claims["events"]))
        member = rng.choice([*where, "more", "ignorable"])
        if rng.random() < 0.4:
            where.pop(member, None)
        else:
            where[member] = rng.choice(_ODD)
        return self._signed_as_before(value, claims)

    def _reheaded(self, rng: random.Random, topic: Topic) -> bytes:
        value = self._any(rng, topic)
        header = header_of(value)
        header[rng.choice(("alg", "typ", "kid", "crit", "b64", "jwk", "zip", "enc"))] = rng.choice(
            (*_ODD, "none", "HS256", "RS256", "EdDSA", "at+jwt", dict(self.own.public.jwk))
        )
        _, payload, signature = value.split(b".")
        head = compact(header, b"", b"").split(b".")[0]
        return b".".join((head, payload, rng.choice((signature, b""))))

    def _by_stranger(self, rng: random.Random, topic: Topic) -> bytes:
        return signed(claims_of(self._any(rng, topic)), self.own)

    def _under_our_kid(self, rng: random.Random, topic: Topic) -> bytes:
        return signed(claims_of(self._any(rng, topic)), rng.choice(self._names))

    def _by_stolen(self, rng: random.Random, topic: Topic) -> bytes:
        claims = claims_of(self._any(rng, topic))
        ((_, body),) = claims["events"].items()
        for name in ("n", "version"):
            if name in body:
                body[name] += rng.randrange(1000, 2000)
        claims["iat"] += rng.randrange(100)
        return signed(claims, rng.choice(self.stolen) if self.stolen else self.own)

    def _signed_as_before(self, value: bytes, claims: Mapping[str, Any]) -> bytes:
        head, _, signature = value.split(b".")
        return b".".join((head, compact({}, claims, b"").split(b".")[1], signature))

    def _make_giants(self, rng: random.Random) -> Iterator[bytes]:
        kids = [self.own.kid, *self._kids]
        full = 380_000
        yield b"." * BROKER_LIMIT
        yield b"A" * BROKER_LIMIT
        yield rng.randbytes(BROKER_LIMIT)
        for payload in (
            b"[" + b"[]," * (full // 3) + b"[]]",
            b"[" * full,
            b'["' + b'","' * (full // 3) + b'"]',
            b"[" + b"1," * (full // 2) + b"1]",
            b'{"a":' * (full // 5),
            b'"' + b"x" * full + b'"',
        ):
            header = {"alg": "EdDSA", "kid": rng.choice(kids), "typ": "secevent+jwt"}
            yield compact(header, payload, bytes(64))
            yield compact({**header, "kid": self.own.kid}, payload[:90_000], bytes(64))
        yield compact({"alg": "EdDSA", "kid": "k" * 300_000, "typ": "secevent+jwt"}, b"{}", bytes(64))
