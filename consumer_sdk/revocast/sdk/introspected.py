"""What an introspection response (RFC 7662 §2.2) proves of the token that was asked about. No I/O.

* Only `"active": true`, with a whole token's claims beside it, is a yes. `false` is a no, whatever else is there.
* A yes is about this token: it agrees with everything that the token itself says, so an answer that was mixed up, cached or
  replayed on the way counts for no other one.
* The issuer answers whether a token is live, not whether this service should take it. So of a token whose key is not known,
  every rule of the profile that needs no key is checked here, before anybody is asked: type, audience, issuer, names, times.
"""

from collections.abc import Mapping
from typing import Any, Final

from revocast.schemas.errors import SchemaError
from revocast.schemas.strict_json import parse_json
from revocast.sdk.claims import Claims
from revocast.sdk.errors import ClaimInvalid, TokenInactive
from revocast.sdk.keyring import Keyring
from revocast.sdk.profile import Profile, check_time, unverified

__all__ = ["NoAnswer", "acceptable", "confirm", "object_in", "response_in"]

_MAX_DEPTH: Final = 8
_MAX_VALUES: Final = 2048
_OF_THE_ANSWER: Final = frozenset({"active", "token_type"})


class NoAnswer(Exception):
    """The issuer could not be asked, or what it said is no answer. The text holds nothing of the token."""


def acceptable(token: str, profile: Profile, keyring: Keyring, now: float) -> Claims:
    """What a token says that this service would take if the issuer vouches for it: its signature is not verified.

    `now` in seconds since 1970. Raises a `TokenError`.
    """
    claims = unverified(token, keyring, profile)
    if claims["iss"] not in profile.issuers:
        raise ClaimInvalid("iss", "is not an issuer that this service accepts.")
    check_time(claims, now, keyring.leeway)
    return Claims(claims)


def object_in(body: bytes) -> dict[str, Any]:
    """The members of a body that is one strict JSON object. Raises `NoAnswer`."""
    try:
        members = parse_json(body, max_depth=_MAX_DEPTH, max_values=_MAX_VALUES)
    except SchemaError:
        raise NoAnswer("the issuer's answer is not strict JSON") from None
    if not isinstance(members, dict):
        raise NoAnswer("the issuer's answer is not an object")
    return members


def response_in(body: bytes) -> dict[str, Any]:
    """The members of a body that says whether a token is active. Raises `NoAnswer`."""
    answer = object_in(body)
    if not isinstance(answer.get("active"), bool):
        raise NoAnswer("the answer is not an introspection response")
    return answer


def confirm(answer: Mapping[str, Any], claims: Claims) -> None:
    """Raise `TokenInactive` when the issuer says no, `NoAnswer` when it does not say yes to a token with these claims."""
    if not answer["active"]:
        raise TokenInactive()
    token_type = answer.get("token_type", "Bearer")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise NoAnswer("the answer is about another type of token")
    own = {name: value for name, value in claims.to_dict().items() if name not in _OF_THE_ANSWER}
    if own != {name: answer.get(name) for name in own}:
        raise NoAnswer("the answer is about another token")
