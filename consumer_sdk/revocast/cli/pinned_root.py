"""The root that a check starts from: pinned by REVOCAST_ROOT, else asked of the issuer over TLS."""

import httpx

from revocast.cli.errors import Misused, Unreachable
from revocast.cli.settings import trust_settings
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope

__all__ = ["pinned_root"]

_MAX_BYTES = 512 * 1024


def pinned_root() -> tuple[str, str, bool]:
    """(issuer, the root's thumbprint, whether it was pinned). Raises `Unreachable` or `Misused`."""
    settings = trust_settings()
    if settings.root:
        return settings.issuer, settings.root, True
    try:
        answer = httpx.get(
            f"{settings.issuer.rstrip('/')}/.well-known/revocast", timeout=10
        ).raise_for_status()
    except httpx.HTTPError as error:
        raise Unreachable(
            f"{settings.issuer} does not say what its root is: {error}",
            "Set REVOCAST_ROOT to the root's thumbprint: then nothing is asked.",
        ) from None
    try:
        # Its signer is the newest root. Whether it leads anywhere is judged by `Trust`, on what stands on Kafka.
        return settings.issuer, Envelope.parse(answer.content[:_MAX_BYTES].strip()).kid, False
    except SchemaError as error:
        raise Misused(f"{settings.issuer} answered no delegation list: {error}") from None
