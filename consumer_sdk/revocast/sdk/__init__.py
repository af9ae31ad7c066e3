"""Revocable JWTs without a network call on the request path: the guard that services embed."""

from revocast.schemas.errors import SettingsError
from revocast.schemas.json_log import JsonFormatter
from revocast.sdk.claims import Claims
from revocast.sdk.errors import (
    AlgorithmNotAllowed,
    ClaimInvalid,
    GuardClosed,
    GuardIncomplete,
    GuardNotReady,
    GuardStale,
    GuardUnavailable,
    InsufficientScope,
    IssuerUnavailable,
    PinFailed,
    RequestMalformed,
    RevocastError,
    SignatureInvalid,
    StartupTimeout,
    TokenError,
    TokenExpired,
    TokenInactive,
    TokenMalformed,
    TokenMissing,
    TokenNotYetValid,
    TokenRevoked,
    UnknownKey,
)
from revocast.sdk.freshness import State, Transition
from revocast.sdk.guard import Guard
from revocast.sdk.health import Health

__all__ = [
    "AlgorithmNotAllowed",
    "ClaimInvalid",
    "Claims",
    "Guard",
    "GuardClosed",
    "GuardIncomplete",
    "GuardNotReady",
    "GuardStale",
    "GuardUnavailable",
    "Health",
    "InsufficientScope",
    "IssuerUnavailable",
    "JsonFormatter",
    "PinFailed",
    "RequestMalformed",
    "RevocastError",
    "SettingsError",
    "SignatureInvalid",
    "StartupTimeout",
    "State",
    "TokenError",
    "TokenExpired",
    "TokenInactive",
    "TokenMalformed",
    "TokenMissing",
    "TokenNotYetValid",
    "TokenRevoked",
    "Transition",
    "UnknownKey",
]
