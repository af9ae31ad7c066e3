"""The keys that tokens verify under: an immutable view of the newest key set and of what the root distrusts.

* A key belongs to one issuer and one algorithm; what a token says of either only selects, never decides.
* Announced, active and retiring keys verify. A retired key is unknown; a revoked or distrusted one refuses by name.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from revocast.schemas.delegations import DelegationList
from revocast.schemas.jose import PublicKey
from revocast.schemas.keyset import VERIFYING, IssuerKeys, KeySet, KeyState

__all__ = ["Keyring", "TokenKey"]


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One token-signing key of one issuer."""

    issuer: IssuerKeys
    public: PublicKey
    state: KeyState
    distrusted: bool

    @property
    def verifies(self) -> bool:
        """Whether a signature of this key is accepted."""
        return self.state in VERIFYING and not self.distrusted

    @property
    def withdrawn(self) -> bool:
        """Whether the key was taken back with everything that it signed."""
        return self.state is KeyState.REVOKED or self.distrusted


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by `kid`, and the signed terms that tokens are judged by. `leeway` in seconds."""

    salt: bytes = b""
    leeway: int = 0
    declared: tuple[str, ...] = ()
    distrusts_all: bool = False
    _by_kid: Mapping[str, tuple[TokenKey, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        key_set: KeySet,
        delegations: DelegationList,
        issuers: Collection[str],
        foreign: Iterable[IssuerKeys] = (),
    ) -> Self:
        """The keys of those of the set's token issuers, and of the foreign ones, that the service accepts."""
        distrust = delegations.distrust
        by_kid: dict[str, tuple[TokenKey, ...]] = {}
        for issuer in (*key_set.issuers, *foreign):
            if issuer.issuer not in issuers:
                continue
            for entry in issuer.keys:
                kid = entry.public.kid
                key = TokenKey(issuer, entry.public, entry.state, kid in distrust.kids)
                by_kid[kid] = (*by_kid.get(kid, ()), key)
        return cls(key_set.salt, key_set.leeway, key_set.claims, distrust.issuer, by_kid)

    def named(self, kid: str) -> tuple[TokenKey, ...]:
        """The keys of this name: at most one an issuer, whatever its state."""
        return self._by_kid.get(kid, ())

    def __len__(self) -> int:
        return sum(map(len, self._by_kid.values()))
