"""Who checks the signatures of tokens: a small protocol, so that a faster library can.

* A backend makes a check of a key that was read and found strong (revocast.schemas.jose), once for each key. It may decline
  a key that it does not take; then `cryptography`, which takes them all, checks that one.
* A check answers for any bytes, and never raises. A signature has the one form of revocast.schemas.signatures.
* A backend is chosen by name (`Guard(signatures=...)`), never by what happens to be installed. `guard.health()` says which.
"""

from typing import Final, Literal, Protocol

from revocast.schemas.jose import PublicKey
from revocast.schemas.signatures import Verify

__all__ = ["CRYPTOGRAPHY", "SignatureBackend", "Signatures", "Verify", "backend_named"]

Signatures = Literal["cryptography", "tink"]
"""Names of the backends."""


class SignatureBackend(Protocol):
    """Makes checks of keys."""

    @property
    def name(self) -> Signatures:
        """As it is chosen and shown."""

    def verifier(self, key: PublicKey) -> Verify | None:
        """The check of this key; None: the backend does not take it."""


class _Cryptography:
    name: Final = "cryptography"

    def verifier(self, key: PublicKey) -> Verify | None:
        return key.verify


CRYPTOGRAPHY: Final[SignatureBackend] = _Cryptography()


def backend_named(name: Signatures) -> SignatureBackend:
    """The backend of this name. Raises `ModuleNotFoundError`, naming the extra, when it is not installed."""
    if name == "cryptography":
        return CRYPTOGRAPHY
    try:
        from revocast.sdk.tink_signatures import TINK
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("signatures: tink is not installed: install revocast[tink]") from error
    return TINK
