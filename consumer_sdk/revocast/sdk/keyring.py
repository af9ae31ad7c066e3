"""The keys that tokens verify under: an immutable view of the newest key set and of what the root distrusts.

* A key belongs to one issuer and one algorithm; what a token says of either only selects, never decides.
* Announced, active and retiring keys verify. A retired key is unknown; a revoked or distrusted one refuses by name.
* The same few headers stand before all tokens, so what a header names is kept under its exact text. Kept is only the header
  of a token whose signature has verified, and only so many: no stranger chooses or fills anything. It goes with the keyring.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from revocast.schemas.delegations import DelegationList
from revocast.schemas.jose import PublicKey
from revocast.schemas.keyset import VERIFYING, IssuerKeys, KeySet, KeyState
from revocast.schemas.naming import NAMING_CLAIMS
from revocast.sdk.signatures import CRYPTOGRAPHY, SignatureBackend, Verify

__all__ = ["Keyring", "KnownHeader", "TokenKey"]

_MAX_HEADERS: Final = 64


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One token-signing key of one issuer, and how its signatures are checked."""

    issuer: IssuerKeys
    public: PublicKey
    state: KeyState
    distrusted: bool
    check: Verify

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `signing_input`."""
        return self.check(signing_input, signature)

    @property
    def verifies(self) -> bool:
        """Whether a signature of this key is accepted."""
        return self.state in VERIFYING and not self.distrusted

    @property
    def withdrawn(self) -> bool:
        """Whether the key was taken back with everything that it signed."""
        return self.state is KeyState.REVOKED or self.distrusted


class KnownHeader(NamedTuple):
    """What a header says: its `typ`, in lower case, and the keys that it names and that may verify."""

    typ: str
    keys: tuple[TokenKey, ...]


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by `kid`, and the signed terms that tokens are judged by. `leeway` in seconds; `naming` are claims that can name a token."""

    salt: bytes = b""
    leeway: int = 0
    declared: tuple[str, ...] = ()
    naming: tuple[str, ...] = NAMING_CLAIMS
    distrusts_all: bool = False
    _by_kid: Mapping[str, tuple[TokenKey, ...]] = field(default_factory=dict)
    _headers: dict[bytes, KnownHeader] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        key_set: KeySet,
        delegations: DelegationList,
        issuers: Collection[str],
        foreign: Iterable[IssuerKeys] = (),
        signatures: SignatureBackend = CRYPTOGRAPHY,
    ) -> Self:
        """The keys of those of the set's token issuers, and of the foreign ones, that the service accepts."""
        distrust = delegations.distrust
        by_kid: dict[str, tuple[TokenKey, ...]] = {}
        for issuer in (*key_set.issuers, *foreign):
            if issuer.issuer not in issuers:
                continue
            for entry in issuer.keys:
                kid = entry.public.kid
                check = signatures.verifier(entry.public) or entry.public.verify
                key = TokenKey(issuer, entry.public, entry.state, kid in distrust.kids, check)
                by_kid[kid] = (*by_kid.get(kid, ()), key)
        return cls(
            salt=key_set.salt,
            leeway=key_set.leeway,
            declared=key_set.claims,
            naming=(*NAMING_CLAIMS, *key_set.claims),
            distrusts_all=distrust.issuer,
            _by_kid=by_kid,
        )

    def named(self, kid: str) -> tuple[TokenKey, ...]:
        """The keys of this name: at most one an issuer, whatever its state."""
        return self._by_kid.get(kid, ())

    def header(self, segment: bytes) -> KnownHeader | None:
        """What this very header segment says; None: it stood before no token that verified."""
        return self._headers.get(segment)

    def remember(self, segment: bytes, header: KnownHeader) -> None:
        """Keep what the header of a token says whose signature has verified."""
        if len(self._headers) < _MAX_HEADERS:
            self._headers[segment] = header

    def __len__(self) -> int:
        return sum(map(len, self._by_kid.values()))
