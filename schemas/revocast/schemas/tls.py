"""TLS as every client and server of ours speaks it: 1.2 or newer; a client checks chain and host name, and cannot be told not to.

`variable` is the setting that names the files: an error says which one is wrong, and holds nothing of what is in them.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from revocast.schemas.errors import SettingsError

__all__ = ["client_context", "present", "server_context"]

_REASONS: Final = {
    "KEY_VALUES_MISMATCH": "the key is not this certificate's",
    "NO_CERTIFICATE_OR_CRL_FOUND": "holds no certificate in PEM",
}
_ANY_OTHER: Final = "not in PEM, or the pass phrase is not the key's"


def client_context(ca: Path | None, variable: str) -> ssl.SSLContext:
    """Trusts the authorities in the PEM file `ca` and no other; without it, the system's. Raises `SettingsError`."""
    with _naming(variable):
        context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def server_context(certificate: Path, key: Path, variable: str) -> ssl.SSLContext:
    """Shows this certificate to whoever asks. Raises `SettingsError`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    present(context, certificate, key, variable)
    return context


def present(
    context: ssl.SSLContext, certificate: Path, key: Path, variable: str, password: str | None = None
) -> None:
    """Let `context` prove who we are: a PEM certificate with its chain, and its private key. Raises `SettingsError`."""
    with _naming(variable):
        # A function, since OpenSSL asks on the terminal when there is none.
        context.load_cert_chain(certificate, key, lambda: password or "")


@contextmanager
def _naming(variable: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        reason = _REASONS.get(error.reason or "", _ANY_OTHER)
        raise SettingsError(f"{variable}: {reason}") from None
    except OSError as error:
        raise SettingsError(f"{variable}: cannot be read: {error.strerror}") from None
