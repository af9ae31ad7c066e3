"""What an introspection response (RFC 7662 §2.2) proves of the token that was asked about. No I/O.

* Only `"active": true`, with a whole token's claims beside it, is a yes. `false` is a no, whatever else is there.
* A yes is about this token: it agrees with everything that the token itself says, so an answer that was mixed up, cached or
  replayed on the way counts for no other one.
* The token keeps every rule of the profile that needs no key: type, audience, what must be there, times. The issuer answers
  whether it is live, not whether this service should take it.
"""

from typing import Any, Final

from revocast.sdk.claims import Claims
from revocast.sdk.errors import ClaimInvalid, TokenInactive
from revocast.sdk.keyring import Keyring
from revocast.sdk.profile import Profile, check_time, unverified

__all__ = ["NoAnswer", "vouched"]

_OF_THE_ANSWER: Final = frozenset({"active", "token_type"})


class NoAnswer(Exception):
    """The issuer could not be asked, or what it said is no answer. The text holds nothing of the token."""


def vouched(answer: Any, token: str, profile: Profile, keyring: Keyring, now: float) -> Claims:
    """The claims of a token that the issuer's answer confirms. `now` in seconds since 1970.

    Raises a `TokenError` when the token is not acceptable, `NoAnswer` when the answer is not one about this token.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("active"), bool):
        raise NoAnswer("the answer is not an introspection response")
    if not answer["active"]:
        raise TokenInactive()
    token_type = answer.get("token_type", "Bearer")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise ClaimInvalid("token_type", "is not Bearer.")
    claims = unverified(token, keyring, profile)
    if claims["iss"] not in profile.issuers:
        raise ClaimInvalid("iss", "is not an issuer that this service accepts.")
    said = {name: answer.get(name) for name in claims.keys() - _OF_THE_ANSWER}
    if said != {name: claims[name] for name in said}:
        raise NoAnswer("the answer is about another token")
    check_time(claims, now, keyring.leeway)
    return Claims(claims)
