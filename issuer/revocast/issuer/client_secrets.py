"""Client secrets: made here, shown once, kept as argon2id hashes (RFC 9106).

The parameters are OWASP's smallest (19 MiB, 2 passes, 1 lane): a secret of 256 random bits cannot be guessed, and the token
endpoint must not become a way to exhaust memory.
"""

import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

__all__ = ["ClientSecrets"]

_SECRET_BYTES: Final = 32
_MEMORY_KIB: Final = 19 * 1024


class ClientSecrets:
    """Hashes and verifies. Thread-safe."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=_MEMORY_KIB, parallelism=1)
        # What an unknown client is compared with, so that it costs what a known one costs.
        self._decoy = self._hasher.hash(secrets.token_urlsafe(_SECRET_BYTES))

    def generate(self) -> tuple[str, str]:
        """A new secret and its hash."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        return secret, self._hasher.hash(secret)

    def matches(self, secret: str, secret_hash: str | None) -> bool:
        """Whether the secret is the one hashed. None (an unknown client) takes the same time and is never right."""
        try:
            self._hasher.verify(secret_hash or self._decoy, secret)
        except VerifyMismatchError:
            return False
        return secret_hash is not None
