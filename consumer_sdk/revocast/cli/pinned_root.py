"""The root that a check starts from: pinned by REVOCAST_ROOT, else asked of the issuer over TLS."""

from revocast.cli.errors import Unreachable
from revocast.cli.settings import trust_settings
from revocast.sdk.errors import PinFailed
from revocast.sdk.pin import fetch_list, root_of

__all__ = ["pinned_root"]

_TIMEOUT_S = 10.0


def pinned_root() -> tuple[str, str, bool]:
    """(issuer, the root's thumbprint, whether it was pinned). Raises `Unreachable` or `Misused`."""
    settings = trust_settings()
    if settings.root:
        return settings.issuer, settings.root, True
    try:
        listed = fetch_list(settings.issuer, _TIMEOUT_S, settings.caller_context())
        return settings.issuer, root_of(listed, settings.issuer), False
    except PinFailed as error:
        raise Unreachable(
            f"{settings.issuer} does not say what its root is: {error}",
            "Set REVOCAST_ROOT to the root's thumbprint: then nothing is asked.",
        ) from None
