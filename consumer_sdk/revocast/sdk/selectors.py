"""Which selectors a token has (`revocast.schemas.naming`), and their fingerprints, made when a kind is first asked for."""

from collections.abc import Mapping
from typing import Any, Final

from revocast.schemas.errors import ClaimUndeclared
from revocast.schemas.naming import values_of
from revocast.schemas.selector import fingerprint_of, kind_name
from revocast.sdk.denylist import Absent
from revocast.sdk.keyring import Keyring, TokenKey

__all__ = ["TokenNames"]

_NOT_ASKED: Final = b""


class TokenNames:
    """One verified token's selectors. `claims` were checked: naming claims are strings."""

    __slots__ = ("_claims", "_fingerprints", "_key", "_keyring", "_signing_input", "absent", "issued_at")

    def __init__(
        self, claims: Mapping[str, Any], signing_input: bytes, key: TokenKey, keyring: Keyring
    ) -> None:
        self.issued_at = int(claims["iat"])
        self.absent: Absent | None = None
        self._claims = claims
        self._signing_input = signing_input
        self._key = key
        self._keyring = keyring
        self._fingerprints: dict[int, bytes | None] = {}

    def fingerprint(self, kind: int) -> bytes | None:
        """The fingerprint of this kind of selector; None: the token has none."""
        found = self._fingerprints.get(kind, _NOT_ASKED)
        if found is _NOT_ASKED:
            found = self._fingerprints[kind] = self._fingerprint(kind)
        return found

    def _fingerprint(self, kind: int) -> bytes | None:
        try:
            name = kind_name(kind, self._keyring.declared)
        except ClaimUndeclared:
            return None  # a row can only be ahead of the key set while the core is incomplete, and says so
        key = self._key
        values = values_of(name, self._claims, key.public.kid, self._signing_input)
        return None if values is None else fingerprint_of(self._keyring.salt, key.issuer.issuer, name, values)
