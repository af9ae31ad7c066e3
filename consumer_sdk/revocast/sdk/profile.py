"""The token profile: every rule by which an access token is accepted, in the order in which they are applied.

From cheap to dear, and from what any stranger can send to what only an issuer can have signed: nothing is parsed that was
not measured, no claim is read before the signature was verified, and nothing that a token says chooses how it is judged.

The envelope (`parse_compact` in revocast.schemas.jose; the stream's events share it)
 1. A string of at most 16 KiB, with a header of at most 8 KiB.
 2. Three segments in compact form (RFC 7515 §3.1, §7.1), so no JWE, and no JSON serialization; each in the one spelling that
    base64url has (RFC 7515 §2), so a token cannot be written in two ways.
 3. The header is strict JSON (RFC 8725 §2.6, revocast.schemas.strict_json), bounded in depth and values before it is parsed.
 4. No parameter that changes what the payload is: `crit`, `b64`, `enc`, `zip`, `cty` (RFC 7515 §4.1.11, RFC 7797 §6, RFC 7516
    §4.1, RFC 7519 §5.2). `jwk`, `jku`, `x5u`, `x5c`, `x5t` are not looked at, here or later (RFC 8725 §3.10).
 5. `typ` says access token, as a media type (RFC 9068 §2.1, §4; RFC 8725 §3.11): not an ID token, not an event of ours.
 6. `kid` is a name of 1 to 256 characters. It only selects from the signed key set (RFC 8725 §3.10), and opens nothing.

The key
 7. It stands in the newest signed key set under an issuer that this service accepts, and its state lets it verify; what the
    root distrusts is refused by name.
 8. `alg` is the one that belongs to the key (RFC 8725 §3.1, §3.2): no `none`, no HMAC with a public key, no PS256 with an
    RS256 key. `Ed25519` is `EdDSA` (RFC 9864 §2.2). That the key is for signatures, of its type and curve, and strong, was
    checked when the key set was read (RFC 7517 §4.2, §4.3; RFC 7518 §3.3; RFC 8725 §3.4).
 9. The signature verifies over the bytes that were sent (RFC 7515 §5.2).

The claims
10. Strict JSON again, an object, bounded in depth and values (RFC 8725 §2.6, §3.7; RFC 7519 §4).
11. All that RFC 9068 §2.2 requires is there.
12. What a revocation may name can be named (revocast.schemas.naming): no token escapes by a `sub` that is a list.
13. `iss` is the issuer of the key that signed (RFC 9068 §4, RFC 8725 §3.8), by exact code points.
14. `aud` is a string or an array of strings, and holds this service (RFC 7519 §4.1.3, RFC 8725 §3.9), by exact code points.
15. `scope` is a string (RFC 9068 §2.2.3, RFC 8693 §4.2).
16. `iat`, `exp`, `nbf` are finite numbers of seconds in the range of the log (RFC 7519 §2).
17. `exp` is after `iat` by at most the lifetime that was signed for that `iat`: no token outlives its revocation.

The time (`check_time`: again whenever a remembered token comes back)
18. Not expired, not used early, not issued in the future (RFC 7519 §4.1.4 to §4.1.6), with the signed leeway. Time is the
    later of the own clock and the newest time the issuer signed: a slow clock keeps no token alive whose revocation has
    already left the log.

Then the deny-list is asked (verifier.py). An error says which rule was broken and never holds a part of the token, nor does
any error that it came from.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from revocast.schemas.errors import JoseError
from revocast.schemas.jose import parse_header, parse_json, same_algorithm, split_compact, unb64u
from revocast.schemas.naming import MAX_NAME, can_name
from revocast.schemas.row import NEVER
from revocast.sdk.errors import (
    AlgorithmNotAllowed,
    ClaimInvalid,
    SignatureInvalid,
    TokenExpired,
    TokenMalformed,
    TokenNotYetValid,
    TokenRevoked,
    UnknownKey,
)
from revocast.sdk.keyring import Keyring, KnownHeader, TokenKey

__all__ = [
    "MAX_TOKEN_BYTES",
    "Profile",
    "authenticate",
    "check_time",
    "good_between",
    "unverified",
]

MAX_TOKEN_BYTES: Final = 16 * 1024
_MAX_KID: Final = 256
_MAX_DEPTH: Final = 8
_MAX_VALUES: Final = 1024
_ALWAYS_REQUIRED: Final = frozenset({"iss", "aud", "exp", "iat"})


@dataclass(frozen=True, slots=True)
class Profile:
    """What one service accepts.

    `issuers` are the token issuers it takes tokens of. `required` are claims that must be there beyond `iss`, `aud`, `exp`
    and `iat`. `types` are accepted `typ` values, in lower case.
    """

    audience: str
    issuers: frozenset[str]
    required: frozenset[str] = frozenset({"sub", "client_id", "jti"})  # RFC 9068 §2.2
    types: frozenset[str] = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068 §2.1
    all_required: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "all_required", _ALWAYS_REQUIRED | self.required)


def authenticate(token: str, keyring: Keyring, profile: Profile) -> tuple[dict[str, Any], TokenKey, bytes]:
    """Rules 1 to 17, all that time does not change: claims, key and signing input. Raises a `TokenError`."""
    segment, payload, *signed = _envelope(token)  # 1, 2
    header = _header(segment, keyring, profile.types)  # 3 to 8
    key = _signer(header, *signed)  # 9
    keyring.remember(segment, header)
    claims = _claims(payload, keyring.naming, profile.all_required)  # 10 to 12
    if claims["iss"] != key.issuer.issuer:
        key = _issuers_own(claims, header, *signed)  # 13
    _check_use(claims, profile)  # 14 to 16
    _check_lifetime(claims, key)  # 17
    return claims, key, signed[0]


def unverified(token: str, keyring: Keyring, profile: Profile) -> dict[str, Any]:
    """What a token says that keeps every rule for which no key is needed: 1 to 6, 10 to 12, 14 to 16. Raises a `TokenError`.

    Not to be believed without the issuer's own word (introspected.py).
    """
    segment, payload, *_ = _envelope(token)  # 1, 2
    header = _parsed(segment)  # 3, 4
    _type(header, profile.types)  # 5
    _kid(header)  # 6
    claims = _claims(payload, keyring.naming, profile.all_required)  # 10 to 12
    _check_use(claims, profile)  # 14 to 16
    return claims


def check_time(claims: Mapping[str, Any], now: float, leeway: int) -> None:
    """Rule 18. Raise `TokenExpired` or `TokenNotYetValid`. `now` in seconds since 1970, `leeway` in seconds."""
    since, until = good_between(claims, leeway)
    if until <= now:
        raise TokenExpired("The token has expired.")
    if now < since:
        raise TokenNotYetValid("The token is not valid yet.")


def good_between(claims: Mapping[str, Any], leeway: int) -> tuple[float, float]:
    """From when on a token is good, and from when on it is not any more: what rule 18 asks of the clock."""
    return max(claims["iat"], claims.get("nbf", 0)) - leeway, claims["exp"] + leeway


def _envelope(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    """The header as it is spelled, the payload, the signing input and the signature."""
    try:
        header, payload, signature, signing_input = split_compact(token, MAX_TOKEN_BYTES)
        return header, unb64u(payload), signing_input, unb64u(signature)
    except JoseError as error:
        raise _malformed(error) from None


def _header(segment: bytes, keyring: Keyring, types: frozenset[str]) -> KnownHeader:
    known = keyring.header(segment)
    if known is not None and known.typ in types:
        return known
    header = _parsed(segment)  # 3, 4
    typ = _type(header, types)  # 5
    usable = _usable_keys(keyring, _kid(header))  # 6, 7
    return KnownHeader(typ, _fitting(header, usable))  # 8


def _parsed(segment: bytes) -> Mapping[str, Any]:
    try:
        return parse_header(segment)
    except JoseError as error:
        raise _malformed(error) from None


def _malformed(error: JoseError) -> TokenMalformed:
    return TokenMalformed(f"The token is malformed ({error}).")


def _type(header: Mapping[str, Any], types: frozenset[str]) -> str:
    typ = header.get("typ")
    # ASCII first: lower() also makes an ASCII letter of some that are none.
    if not isinstance(typ, str) or not typ.isascii() or typ.lower() not in types:
        raise TokenMalformed("The token is not an access token (typ).")
    return typ.lower()


def _kid(header: Mapping[str, Any]) -> str:
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID:
        raise TokenMalformed("The token does not name a key (kid).")
    return kid


def _usable_keys(keyring: Keyring, kid: str) -> list[TokenKey]:
    if keyring.distrusts_all:
        raise TokenRevoked("issuer", "block")
    named = keyring.named(kid)
    if named and all(key.withdrawn for key in named):
        raise TokenRevoked("key", "block")
    usable = [key for key in named if key.verifies]
    if not usable:
        raise UnknownKey("The token names a key that is not in the key set, or that no longer signs.")
    return usable


def _fitting(header: Mapping[str, Any], keys: Sequence[TokenKey]) -> tuple[TokenKey, ...]:
    alg = header.get("alg")
    fitting = tuple(key for key in keys if same_algorithm(alg, key.public.alg))
    if not fitting:
        raise AlgorithmNotAllowed("The token's algorithm is not the one that belongs to its key.")
    return fitting


def _signer(header: KnownHeader, signing_input: bytes, signature: bytes) -> TokenKey:
    for key in header.keys:
        if key.verify(signing_input, signature):
            return key
    raise SignatureInvalid("The signature does not verify.")


def _claims(payload: bytes, naming: Sequence[str], required: frozenset[str]) -> dict[str, Any]:
    try:
        claims = parse_json(payload, max_depth=_MAX_DEPTH, max_values=_MAX_VALUES)  # 10
    except JoseError as error:
        raise TokenMalformed(f"The token's claims are malformed ({error}).") from None
    if not isinstance(claims, dict):
        raise TokenMalformed("The token's claims are not an object.")
    _check_required(claims, required)  # 11
    _check_names(claims, naming)  # 12
    return claims


def _check_use(claims: Mapping[str, Any], profile: Profile) -> None:
    _check_audience(claims, profile.audience)  # 14
    _check_scope(claims)  # 15
    _check_times(claims)  # 16


def _check_required(claims: Mapping[str, Any], required: frozenset[str]) -> None:
    if not required <= claims.keys():
        raise ClaimInvalid(min(required - claims.keys()), "is missing.")


def _check_names(claims: Mapping[str, Any], naming: Sequence[str]) -> None:
    for name in naming:
        if name in claims and not can_name(claims[name]):
            raise ClaimInvalid(
                name,
                f"must be a string of 1 to {MAX_NAME} characters without NUL, because a revocation may name it.",
            )


def _issuers_own(
    claims: Mapping[str, Any], header: KnownHeader, signing_input: bytes, signature: bytes
) -> TokenKey:
    # An issuer that lists another one's key as its own takes no token away from that one.
    for other in header.keys:
        if other.issuer.issuer == claims["iss"] and other.verify(signing_input, signature):
            return other
    raise ClaimInvalid("iss", "is not the issuer of the key that signed.")


def _check_audience(claims: Mapping[str, Any], audience: str) -> None:
    aud = claims["aud"]
    if aud == audience:
        return
    named = [aud] if isinstance(aud, str) else aud
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise ClaimInvalid("aud", "must be a string or an array of strings.")
    if audience not in named:
        raise ClaimInvalid("aud", "does not name this service.")


def _check_scope(claims: Mapping[str, Any]) -> None:
    if not isinstance(claims.get("scope", ""), str):
        raise ClaimInvalid("scope", "must be a string of scopes, with a space between them.")


def _check_times(claims: Mapping[str, Any]) -> None:
    for name in ("iat", "exp", "nbf"):
        value = claims.get(name, 0)
        # By type: to Python, true is the number 1. Every reader of the log counts seconds in 32 bits.
        if type(value) not in (int, float) or not 0 <= value < NEVER:
            raise ClaimInvalid(name, "must be a number of seconds since 1970.")


def _check_lifetime(claims: Mapping[str, Any], key: TokenKey) -> None:
    iat, exp = claims["iat"], claims["exp"]
    # From floor(iat), as cutoffs compare it: a fraction of a second must not outlive the row that refuses it.
    issued_at = math.floor(iat)
    longest = key.issuer.max_lifetime(issued_at)
    if longest is None:
        raise ClaimInvalid("iat", "lies before the first lifetime that the key set declares.")
    if not iat < exp <= issued_at + longest:
        raise ClaimInvalid("exp", f"must be after iat, by at most the {longest} s that the key set allows.")
