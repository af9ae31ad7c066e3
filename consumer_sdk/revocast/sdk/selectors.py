"""Which selectors a token has (`revocast.schemas.naming`), and their fingerprints, made when a kind is first asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from revocast.schemas.errors import ClaimUndeclared
from revocast.schemas.naming import values_of
from revocast.schemas.selector import fingerprint_of, kind_name

__all__ = ["TokenNames"]


class TokenNames:
    """One verified token's selectors. `claims` were checked: naming claims are strings."""

    __slots__ = (
        "_claims",
        "_declared",
        "_fingerprints",
        "_issuer",
        "_kid",
        "_salt",
        "_signing_input",
        "issued_at",
    )

    def __init__(
        self,
        claims: Mapping[str, Any],
        issuer: str,
        kid: str,
        signing_input: bytes,
        salt: bytes,
        declared: Sequence[str],
    ) -> None:
        self.issued_at = int(claims["iat"])
        self._claims = claims
        self._issuer = issuer
        self._kid = kid
        self._signing_input = signing_input
        self._salt = salt
        self._declared = declared
        self._fingerprints: dict[int, bytes | None] = {}

    def fingerprint(self, kind: int) -> bytes | None:
        """The fingerprint of this kind of selector; None: the token has none."""
        try:
            return self._fingerprints[kind]
        except KeyError:
            found = self._fingerprints[kind] = self._fingerprint(kind)
            return found

    def _fingerprint(self, kind: int) -> bytes | None:
        try:
            name = kind_name(kind, self._declared)
        except ClaimUndeclared:
            return None  # a row can only be ahead of the key set while the core is incomplete, and says so
        values = values_of(name, self._claims, self._kid, self._signing_input)
        return None if values is None else fingerprint_of(self._salt, self._issuer, name, values)
