"""Who signs as a key: a key in memory, in a file, in a KMS or an HSM. What is signed never depends on which."""

from typing import Protocol

__all__ = ["Signer"]


class Signer(Protocol):
    """Something that signs as one key. `PrivateKey` is one."""

    @property
    def kid(self) -> str:
        """The key's id."""
        ...

    @property
    def alg(self) -> str:
        """The key's JWS algorithm."""
        ...

    def sign(self, signing_input: bytes) -> bytes:
        """The JWS signature over `signing_input`."""
        ...
