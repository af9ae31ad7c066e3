"""What a foreign issuer's JWK Set (RFC 7517 §5) is good for here. No I/O.

* Strict JSON, bounded before it is parsed; at most `MAX_KEYS` keys. A body that is no such set says nothing: `NotAKeySet`.
* A key counts only if it verifies access tokens: the rules of our own keys (revocast.schemas.jose), and a `kid`, because tokens
  name their key. What is for something else (encryption, another algorithm) is passed over, as the RFC asks.
* What should not be there is refused by itself, and said: private or symmetric material, a weak or broken key, a key without a
  `kid`, and every key of a `kid` that stands twice, for which one would be meant?
* Nothing of a key is kept but what makes it one: no certificate, no URL.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from revocast.schemas.errors import JoseError
from revocast.schemas.jose import ALGORITHMS, PublicKey, parse_json

__all__ = ["MAX_KEYS", "Document", "NotAKeySet", "read_document"]

MAX_KEYS: Final = 64
_MAX_DEPTH: Final = 6
_MAX_VALUES: Final = 4096  # 64 keys with their certificate chains
_SECRET: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ALGORITHMS: Final = frozenset({*ALGORITHMS, "Ed25519"})
_TYPES: Final = frozenset({("RSA", None), ("EC", "P-256"), ("OKP", "Ed25519")})
_KEPT: Final = ("kty", "crv", "n", "e", "x", "y", "kid", "alg", "use", "key_ops")


class NotAKeySet(Exception):
    """The body is no JWK Set, or too large a one. The text holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Document:
    """`keys` by `kid`. `passed_over` counts keys for another use, `refused` says by reason how many should not be there."""

    keys: Mapping[str, PublicKey]
    passed_over: int
    refused: Mapping[str, int]


def read_document(body: bytes) -> Document:
    """Read a JWK Set. Raises `NotAKeySet`."""
    keys: dict[str, PublicKey] = {}
    refused: Counter[str] = Counter()
    twice: set[str] = set()
    passed_over = 0
    for jwk in _keys_in(body):
        try:
            key = _key(jwk)
        except JoseError as error:
            refused[str(error)] += 1
            continue
        if key is None:
            passed_over += 1
        elif key.kid in keys:
            twice.add(key.kid)
            refused["jwk.kid: stands twice in the set"] += 1
        else:
            keys[key.kid] = key
    for kid in twice:
        del keys[kid]
        refused["jwk.kid: stands twice in the set"] += 1
    return Document(keys, passed_over, refused)


def _keys_in(body: bytes) -> list[Any]:
    try:
        members = parse_json(body, max_depth=_MAX_DEPTH, max_values=_MAX_VALUES)
    except JoseError:
        raise NotAKeySet("the answer is not strict JSON, or has too many values") from None
    keys = members.get("keys") if isinstance(members, dict) else None
    if not isinstance(keys, list):
        raise NotAKeySet("the answer is not a JWK Set")
    if len(keys) > MAX_KEYS:
        raise NotAKeySet(f"the key set has more than {MAX_KEYS} keys")
    return keys


def _key(jwk: Any) -> PublicKey | None:
    """The key; None: it is for something else. Raises `JoseError`: it should not be there."""
    if not isinstance(jwk, dict):
        raise JoseError("jwk: is not an object")
    if not _SECRET.isdisjoint(jwk):
        raise JoseError("jwk: holds private or symmetric material, which everybody can read now")
    if not _is_for_tokens(jwk):
        return None
    if "kid" not in jwk:
        raise JoseError("jwk.kid: is missing, so no token can name the key")
    return PublicKey.from_jwk({name: jwk[name] for name in _KEPT if name in jwk})


def _is_for_tokens(jwk: Mapping[str, Any]) -> bool:
    if jwk.get("use", "sig") != "sig" or "verify" not in _listed(jwk.get("key_ops", ["verify"])):
        return False
    alg, kty, crv = jwk.get("alg"), jwk.get("kty"), jwk.get("crv")
    if isinstance(alg, str) and alg not in _ALGORITHMS:
        return False
    return not (isinstance(kty, str) and isinstance(crv, str | None) and (kty, crv) not in _TYPES)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
