"""What someone without a delegated key can make of a genuine event: other content, another signature, another header."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.events import Envelope, EventBody
from revocast.schemas.jose import PrivateKey, b64u, canonical_json, parse_compact, parse_json
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeySet, KeyState
from revocast.schemas.row import Slot
from revocast.sdk.freshness import Topic
from revocast.testing import Authority

__all__ = ["FORGERIES", "attackers_key_set", "attractive", "claims_of", "compact", "newest_key_set", "signed"]

LIMIT = 1 << 20
Forgery = Callable[[Authority, EventBody], bytes]


def claims_of(value: bytes) -> dict[str, Any]:
    """The claims of an event."""
    claims: dict[str, Any] = parse_json(parse_compact(value, LIMIT).payload)
    return claims


def header_of(value: bytes) -> dict[str, Any]:
    """The header of an event."""
    return dict(parse_compact(value, LIMIT).header)


def compact(header: Mapping[str, Any], claims: Mapping[str, Any] | bytes, signature: bytes) -> bytes:
    """Put a JWS together, whatever its signature is."""
    payload = claims if isinstance(claims, bytes) else canonical_json(claims)
    return f"{b64u(canonical_json(header))}.{b64u(payload)}.{b64u(signature)}".encode()


def signed(claims: Mapping[str, Any] | bytes, key: PrivateKey, **header: Any) -> bytes:
    """Any claims under any key; `header` replaces members."""
    members = {"alg": key.alg, "kid": key.kid, "typ": "secevent+jwt", **header}
    signing_input = compact(members, claims, b"").rstrip(b".")
    return signing_input + b"." + b64u(key.sign(signing_input)).encode()


def newest_key_set(authority: Authority) -> KeySet:
    """The key set that the issuer published last."""
    values = [message.value for message in reversed(authority.keys.messages) if message.value]
    events = (Envelope.parse(value).event() for value in values)
    return KeySet.from_event(next(event for event in events if event.type == KeySet.TYPE))


def attackers_key_set(authority: Authority, key: PrivateKey) -> KeySet:
    """The next key set, in which the attacker's key is the active one."""
    now = newest_key_set(authority)
    entry = KeyEntry(jwk=dict(key.public.jwk), state=KeyState.ACTIVE)
    own = now.issuers[0]
    keys = IssuerKeys(issuer=own.issuer, lifetimes=own.lifetimes, keys=(*own.keys, entry))
    return now.model_copy(update={"version": now.version + 1, "issuers": (keys,)})


def attractive(authority: Authority, topic: Topic) -> EventBody:
    """What an attacker would like to have said on a topic: alice unblocked, a key of his, a checkpoint of his."""
    if topic is Topic.KEYS:
        return attackers_key_set(authority, PrivateKey.generate())
    record, _ = authority.sign_next(
        (authority.block_row(authority.subject("bob")), _lift(authority, "alice"))
    )
    if topic is Topic.LOG:
        return record
    return Checkpoint(
        t=authority.now + 1,
        epoch=authority.position.epoch,
        n=authority.position.n + 1_000,
        hash=bytes(32),
        delegations=authority.delegations,
        key_set=authority.key_set,
    )


def _lift(authority: Authority, sub: str) -> Any:
    return type(authority.block_row(authority.subject(sub))).for_lift(
        *authority.name(authority.subject(sub)), Slot.BLOCK
    )


def _claims(authority: Authority, body: EventBody) -> dict[str, Any]:
    return claims_of(authority.sign(body))


def _no_signature(authority: Authority, body: EventBody) -> bytes:
    return compact(header_of(authority.sign(body)), _claims(authority, body), b"")


def _alg_none(authority: Authority, body: EventBody) -> bytes:
    return compact(
        {"alg": "none", "kid": authority.event_key.kid, "typ": "secevent+jwt"}, _claims(authority, body), b""
    )


def _hmac_with_the_public_key(authority: Authority, body: EventBody) -> bytes:
    header = {"alg": "HS256", "kid": authority.event_key.kid, "typ": "secevent+jwt"}
    signing_input = compact(header, _claims(authority, body), b"").rstrip(b".")
    secret = canonical_json(dict(authority.event_key.public.jwk))
    return signing_input + b"." + b64u(hmac.digest(secret, signing_input, hashlib.sha256)).encode()


def _another_events_signature(authority: Authority, body: EventBody) -> bytes:
    genuine = parse_compact(authority.checkpoints.messages[-1].value or b"", LIMIT)
    return compact(dict(genuine.header), _claims(authority, body), genuine.signature)


def _stranger(authority: Authority, body: EventBody) -> bytes:
    return authority.sign(body, PrivateKey.generate())


def _stranger_under_our_kid(authority: Authority, body: EventBody) -> bytes:
    return authority.sign(body, PrivateKey.generate(kid=authority.event_key.kid))


def _token_key(authority: Authority, body: EventBody) -> bytes:
    return authority.sign(body, authority.active)


def _token_key_under_our_kid(authority: Authority, body: EventBody) -> bytes:
    return signed(_claims(authority, body), authority.active, kid=authority.event_key.kid)


def _root(authority: Authority, body: EventBody) -> bytes:
    return authority.sign(body, authority.root)


def _key_in_the_header(authority: Authority, body: EventBody) -> bytes:
    key = PrivateKey.generate()
    return signed(
        _claims(authority, body), key, jwk=dict(key.public.jwk), jku="https://attacker.example/jwks"
    )


FORGERIES: Mapping[str, Forgery] = {
    "no signature": _no_signature,
    "alg none": _alg_none,
    "HMAC with the public key": _hmac_with_the_public_key,
    "another event's signature": _another_events_signature,
    "a stranger's key": _stranger,
    "a stranger's key under our kid": _stranger_under_our_kid,
    "the token-signing key": _token_key,
    "the token-signing key under our kid": _token_key_under_our_kid,
    "the root, which signs lists only": _root,
    "a key that the header brings along": _key_in_the_header,
}
"""Ways to sign an event without a delegated key."""
