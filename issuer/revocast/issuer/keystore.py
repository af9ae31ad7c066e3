"""Private keys at rest. The database holds an opaque handle for each; only a key store makes a signer of it.

`SealedKeys` is the built-in store: the handle is the key itself, AES-256-GCM under a master key from a file or the
environment, with the `kid` as associated data so that two handles cannot be exchanged. A store on a KMS or an HSM would
keep the key and let the handle name it.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from revocast.issuer.errors import InvalidRequest, NotInitialized
from revocast.schemas.errors import JoseError
from revocast.schemas.jose import PrivateKey, PublicKey, unb64u
from revocast.schemas.signer import Signer

__all__ = ["MASTER_KEY_SIZE", "KeyStore", "NewKey", "SealedKeys"]

MASTER_KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that a store made: its public half, and the handle under which the store finds it again."""

    public: PublicKey
    handle: bytes


class KeyStore(Protocol):
    """Makes keys and signs with them."""

    def generate(self, alg: str) -> NewKey:
        """Make a key for RS256, ES256 or EdDSA."""
        ...

    def signer(self, kid: str, handle: bytes) -> Signer:
        """The signer of a handle. Raises `NotInitialized` when this store cannot open it."""
        ...


class SealedKeys:
    """Keys sealed under a 32-byte master key. Opened keys are kept in memory, by kid."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != MASTER_KEY_SIZE:
            raise InvalidRequest(f"master key: must be {MASTER_KEY_SIZE} bytes")
        self._cipher = AESGCM(master_key)
        self._opened: dict[str, PrivateKey] = {}

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From base64url text, as in `REVOCAST_MASTER_KEY`. Raises `InvalidRequest`."""
        try:
            return cls(unb64u(text.strip()))
        except JoseError:
            raise InvalidRequest("master key: must be base64url text") from None

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """From a file of base64url text. Raises `NotInitialized` when it cannot be read."""
        try:
            return cls.from_text(path.read_text("ascii"))
        except OSError as error:
            raise NotInitialized(
                f"master key: {path}: {error.strerror}; set REVOCAST_MASTER_KEY_FILE or run `revocast init`"
            ) from None

    def generate(self, alg: str) -> NewKey:
        """Make a key and seal it."""
        key = PrivateKey.generate(alg)
        nonce = os.urandom(_NONCE_SIZE)
        sealed = self._cipher.encrypt(nonce, key.pem(), key.kid.encode())
        return NewKey(key.public, nonce + sealed)

    def signer(self, kid: str, handle: bytes) -> Signer:
        """Open a sealed key. Raises `NotInitialized` when it was sealed under another master key."""
        if kid not in self._opened:
            try:
                pem = self._cipher.decrypt(handle[:_NONCE_SIZE], handle[_NONCE_SIZE:], kid.encode())
            except (InvalidTag, ValueError):
                raise NotInitialized("master key: is not the one that sealed this database's keys") from None
            self._opened[kid] = PrivateKey.from_pem(pem, kid)
        return self._opened[kid]
