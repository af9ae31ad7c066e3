"""What an access token must say: RFC 9068 on RFC 7519, with the hardening of RFC 8725, and nothing optional about it.

The signature has been verified before anything here is read. In order:

* claims are of their types: times are finite numbers, names are non-empty strings, `aud` is a string or an array of them;
* `iss` is the issuer that the key belongs to, and `aud` holds this service, both by exact code points;
* `exp - iat` is within the lifetime that was signed for tokens of that `iat`, so no token outlives its revocation;
* not expired, not used early, not issued in the future. Time is the later of the own clock and the newest time the issuer
  signed: a slow clock keeps no token alive whose revocation has already expired from the log.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from revocast.schemas.naming import NAMING_CLAIMS
from revocast.schemas.row import NEVER
from revocast.sdk.errors import ClaimInvalid, TokenExpired, TokenMalformed, TokenNotYetValid
from revocast.sdk.keyring import Keyring, TokenKey

__all__ = ["MAX_TOKEN_BYTES", "Profile", "check_claims", "check_header", "check_time"]

MAX_TOKEN_BYTES: Final = 16 * 1024
MAX_CLAIMS: Final = 256
_MAX_KID: Final = 256


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


def check_header(header: Mapping[str, Any], profile: Profile) -> str:
    """The `kid`. Raises `TokenMalformed`. `jwk`, `jku`, `x5u` and `x5c` are not looked at (RFC 8725 §3.10)."""
    typ, kid = header.get("typ"), header.get("kid")
    if not isinstance(typ, str) or typ.lower() not in profile.types:
        raise TokenMalformed("The token is not an access token (typ).")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID:
        raise TokenMalformed("The token does not name a key (kid).")
    return kid


def check_claims(claims: Any, key: TokenKey, keyring: Keyring, profile: Profile) -> Mapping[str, Any]:
    """The claims, whose every rule that time does not change holds. Raises `ClaimInvalid`, naming the claim."""
    if not isinstance(claims, dict) or len(claims) > MAX_CLAIMS:
        raise TokenMalformed("The token's claims are not an object of reasonable size.")
    for name in sorted({"iss", "aud", "exp", "iat"} | profile.required):
        if name not in claims:
            raise ClaimInvalid(name, "is missing.")
    for name in (*NAMING_CLAIMS, *keyring.declared):
        if name in claims and not (isinstance(claims[name], str) and claims[name]):
            raise ClaimInvalid(name, "must be a non-empty string, because a revocation may name it.")
    if claims["iss"] != key.issuer.issuer:
        raise ClaimInvalid("iss", "is not the issuer of the key that signed.")
    if not _names_audience(claims["aud"], profile.audience):
        raise ClaimInvalid("aud", "does not name this service.")
    if not isinstance(claims.get("scope", ""), str):
        raise ClaimInvalid("scope", "must be a string of scopes (RFC 8693 section 4.2).")
    _check_lifetime(claims, key)
    return claims


def check_time(claims: Mapping[str, Any], now: float, leeway: int) -> None:
    """Raise `TokenExpired` or `TokenNotYetValid`. `now` in seconds since 1970, `leeway` in seconds."""
    if claims["exp"] + leeway <= now:
        raise TokenExpired("The token has expired.")
    if claims["iat"] > now + leeway or claims.get("nbf", 0) > now + leeway:
        raise TokenNotYetValid("The token is not valid yet.")


def _check_lifetime(claims: Mapping[str, Any], key: TokenKey) -> None:
    iat, exp = _time(claims, "iat"), _time(claims, "exp")
    if "nbf" in claims:
        _time(claims, "nbf")
    # From floor(iat), as cutoffs compare it: a fraction of a second must not outlive the row that refuses it.
    issued_at = math.floor(iat)
    longest = key.issuer.max_lifetime(issued_at)
    if longest is None:
        raise ClaimInvalid("iat", "lies before the first lifetime that the key set declares.")
    if not iat < exp <= issued_at + longest:
        raise ClaimInvalid("exp", f"must be after iat, by at most the {longest} s that the key set allows.")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value < NEVER:  # bool is an int; NaN compares false
        raise ClaimInvalid(name, "must be a number of seconds since 1970.")
    return float(value)


def _names_audience(aud: object, audience: str) -> bool:
    if isinstance(aud, str):
        return aud == audience
    return isinstance(aud, list) and all(isinstance(each, str) for each in aud) and audience in aud
