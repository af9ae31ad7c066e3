"""Everything that the SDK raises: one tree.

Each error has a stable `code` for programs, says what happened and what to do about it for people, and knows its HTTP
answer: `status`, `www_authenticate` (RFC 6750 §3) and `retry_after`. None holds a token, a key or a claim's value.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "AlgorithmNotAllowed",
    "ClaimInvalid",
    "GuardClosed",
    "GuardIncomplete",
    "GuardNotReady",
    "GuardStale",
    "GuardUnavailable",
    "InsufficientScope",
    "IssuerUnavailable",
    "PinFailed",
    "RequestMalformed",
    "RevocastError",
    "SignatureInvalid",
    "StartupTimeout",
    "TokenError",
    "TokenExpired",
    "TokenInactive",
    "TokenMalformed",
    "TokenMissing",
    "TokenNotYetValid",
    "TokenRevoked",
    "UnknownKey",
]

_NOT_QUOTABLE = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")  # RFC 6750 §3: what error_description may hold


class RevocastError(Exception):
    """Base of all. `code` never changes its meaning; the text may."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    remedy: str = ""
    """What the person who reads the log should do."""

    @property
    def description(self) -> str:
        """What happened, in one sentence."""
        return str(self.args[0]) if self.args else (self.__doc__ or "").partition("\n")[0]

    @property
    def www_authenticate(self) -> str | None:
        """The value of the `WWW-Authenticate` header, for answers that have one."""
        return None

    @property
    def retry_after(self) -> int | None:
        """Seconds after which a retry makes sense."""
        return None

    def headers(self) -> dict[str, str]:
        """The HTTP headers that belong to the answer."""
        headers: dict[str, str] = {}
        if self.www_authenticate is not None:
            headers["WWW-Authenticate"] = self.www_authenticate
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers

    def __str__(self) -> str:
        return f"{self.description} {self.remedy}".rstrip()


class TokenError(RevocastError):
    """The token is not accepted."""

    code = "invalid_token"
    status = 401
    oauth_error: ClassVar[str | None] = "invalid_token"

    @property
    def www_authenticate(self) -> str:
        """A `Bearer` challenge with error and description."""
        if self.oauth_error is None:
            return "Bearer"
        text = _NOT_QUOTABLE.sub(" ", self.description)
        return f'Bearer error="{self.oauth_error}", error_description="{text}"'


class TokenMissing(TokenError):
    """The request carries no bearer token."""

    code = "token_missing"
    oauth_error = None  # RFC 6750 §3.1: a request without credentials gets no error code


class RequestMalformed(TokenError):
    """The Authorization header is not one bearer token."""

    code = "invalid_request"
    status = 400
    oauth_error = "invalid_request"


class TokenMalformed(TokenError):
    """The token is not a strict compact JWS with an access token's header."""

    code = "token_malformed"


class AlgorithmNotAllowed(TokenError):
    """The token's algorithm is not the one that belongs to its key."""

    code = "algorithm_not_allowed"


class UnknownKey(TokenError):
    """The token names a key that is not in the key set, or no longer signs. `refreshing`: the foreign issuer whose set is being fetched."""

    code = "unknown_key"

    def __init__(
        self,
        description: str = "The token names a key that is not in the key set, or that no longer signs.",
        *,
        retry_after: int | None = None,
        refreshing: str | None = None,
    ) -> None:
        super().__init__(description)
        self._retry_after = retry_after
        self.refreshing = refreshing

    @property
    def retry_after(self) -> int | None:
        """Seconds, where the key may only have not arrived yet."""
        return self._retry_after


class SignatureInvalid(TokenError):
    """The signature does not verify."""

    code = "signature_invalid"


class ClaimInvalid(TokenError):
    """A claim is missing, of the wrong type, or not for this service. `claim` names it."""

    code = "claim_invalid"

    def __init__(self, claim: str, problem: str) -> None:
        super().__init__(f"{claim}: {problem}")
        self.claim = claim


class TokenExpired(TokenError):
    """The token has expired."""

    code = "token_expired"


class TokenNotYetValid(TokenError):
    """The token is not valid yet."""

    code = "token_not_yet_valid"
    remedy = "If it should be, compare this machine's clock with the issuer's."


class TokenRevoked(TokenError):
    """The token has been revoked. `kind` is the selector kind that refused it, `slot` is `cutoff` or `block`."""

    code = "token_revoked"

    def __init__(self, kind: str, slot: str) -> None:
        # The caller's client learns no more than that: which of its names was revoked is the operator's business.
        super().__init__("The token has been revoked.")
        self.kind = kind
        self.slot = slot


class TokenInactive(TokenError):
    """The issuer, which was asked, says that the token is not active."""

    code = "token_inactive"


class InsufficientScope(TokenError):
    """The token is good, but does not grant what the route needs. `scopes` is what it needs."""

    code = "insufficient_scope"
    status = 403
    oauth_error = "insufficient_scope"

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__("The token does not grant a scope that this route needs.")
        self.scopes = tuple(scopes)

    @property
    def www_authenticate(self) -> str:
        """The challenge, with the scopes that are needed."""
        return f'{super().www_authenticate}, scope="{_NOT_QUOTABLE.sub(" ", " ".join(self.scopes))}"'


class GuardUnavailable(RevocastError):
    """The guard cannot know whether it is current, and its policy is to refuse then."""

    code = "guard_unavailable"
    status = 503

    def __init__(self, reason: str = "", remedy: str = "") -> None:
        """`reason` and `remedy` are for the service's own people: callers see only the `description`."""
        super().__init__((type(self).__doc__ or "").partition("\n")[0])
        self.reason = reason
        self.remedy = remedy or type(self).remedy

    @property
    def retry_after(self) -> int:
        """Seconds."""
        return 2

    def __str__(self) -> str:
        reason = f"{self.reason}." if self.reason else ""
        return " ".join(part for part in (self.description, reason, self.remedy) if part)


class GuardNotReady(GuardUnavailable):
    """The guard has not read the state up to now."""

    code = "guard_not_ready"


class GuardStale(GuardUnavailable):
    """What the guard knows is too old."""

    code = "guard_stale"
    remedy = "Look at the connection to Kafka, and at the issuer's relay."


class GuardIncomplete(GuardUnavailable):
    """The guard knows that something is missing."""

    code = "guard_incomplete"
    remedy = "It reads the log again by itself; if it stays so, run `revocast log verify`."


class IssuerUnavailable(GuardUnavailable):
    """The keys of the token's issuer cannot be had."""

    code = "issuer_unavailable"
    remedy = "Look at that issuer's JWKS URL in REVOCAST_JWKS, and at `health().foreign`."
    refreshing: str | None = None
    """The issuer, if its keys are being fetched right now."""


class GuardClosed(GuardUnavailable):
    """The guard was closed."""

    code = "guard_closed"


class StartupTimeout(GuardUnavailable):
    """The guard could not become ready in time."""

    code = "startup_timeout"


class PinFailed(RevocastError):
    """The root key could not be pinned on first use."""

    code = "pin_failed"
    remedy = "Set REVOCAST_ROOT to the root's thumbprint (`revocast init` prints it), or make the issuer reachable."
