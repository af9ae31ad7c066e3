"""The issuer's one error tree. `code` is stable, the text says what to do, and no text holds a token or a secret."""

__all__ = [
    "AccessDenied",
    "Conflict",
    "InvalidRequest",
    "IssuerError",
    "LogLost",
    "LogMismatch",
    "NoSigningKey",
    "NotFound",
    "NotInitialized",
    "StorageUnavailable",
    "TokenRejected",
    "UnknownIssuer",
]


class IssuerError(Exception):
    """Anything that this package raises on purpose."""

    code = "error"


class InvalidRequest(IssuerError):
    """The request contradicts itself or a rule of the authority."""

    code = "invalid_request"


class UnknownIssuer(InvalidRequest):
    """The selector names a token issuer that this authority does not speak for."""

    code = "unknown_issuer"


class NotFound(IssuerError):
    """Nothing of that name is registered."""

    code = "not_found"


class Conflict(IssuerError):
    """The name is taken, or the thing is in a state that the operation does not allow."""

    code = "conflict"


class AccessDenied(IssuerError):
    """No token is minted: the client may not ask for this, or what it would name is revoked."""

    code = "access_denied"


class NoSigningKey(IssuerError):
    """No token key is active yet; a new one is announced and signs as soon as the fleet may know it."""

    code = "no_signing_key"


class TokenRejected(IssuerError):
    """The presented token is not a live token of this issuer; `code` names the reason."""

    code = "invalid_token"

    def __init__(self, message: str, code: str = "invalid_token") -> None:
        super().__init__(message)
        self.code = code


class StorageUnavailable(IssuerError):
    """The database is locked, full, read-only or away; nothing was done."""

    code = "storage_unavailable"


class NotInitialized(IssuerError):
    """The database or its keys were not made yet, or the master key is not theirs."""

    code = "not_initialized"


class LogLost(IssuerError):
    """Kafka lost records of the log, or the topic is another one; what the database has is published again."""

    code = "log_lost"


class LogMismatch(IssuerError):
    """Kafka holds a signed record or key set that this database does not know; publishing would fork the log."""

    code = "log_mismatch"
