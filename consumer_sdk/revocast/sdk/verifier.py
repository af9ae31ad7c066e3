"""From a token to its claims, or to the reason why not: the profile, the deny-list, and a memory of the good.

The memory holds verified tokens under their full text, with the generation at which the deny-list was asked about them:

* whoever applies a revocation writes its rows, *then* raises the generation; `verify` reads the generation, *then* looks up;
* same generation: a hit. Another one: looked up again, no signature;
* another era (keys, delegations or the log's epoch changed), which is another generation too: from the start. It is raised before
  the generation and read after it, so who sees the new generation sees the new era;
* a hit still checks time. Refusals are not remembered.

One thread changes `keyring`, `denylist` and the counters; any number of threads verify.
"""

from dataclasses import dataclass

from revocast.schemas.selector import kind_name
from revocast.sdk.claims import Claims
from revocast.sdk.denylist import DenyList
from revocast.sdk.errors import TokenMalformed, TokenRevoked
from revocast.sdk.keyring import Keyring
from revocast.sdk.profile import MAX_TOKEN_BYTES, Profile, authenticate, check_time, good_between
from revocast.sdk.selectors import TokenNames
from revocast.sdk.signatures import CRYPTOGRAPHY, SignatureBackend

__all__ = ["Verifier"]


@dataclass(slots=True)
class _Known:
    claims: Claims
    names: TokenNames
    leeway: int
    since: float
    until: float
    era: int
    generation: int


class Verifier:
    """Judges tokens against what the guard holds. `cache_size` bounds the tokens remembered (0: none)."""

    def __init__(
        self, profile: Profile, cache_size: int, signatures: SignatureBackend = CRYPTOGRAPHY
    ) -> None:
        self.profile = profile
        self.signatures = signatures
        self.keyring = Keyring()
        self.denylist = DenyList()
        self.newest_t = 0
        """The newest time that the issuer signed, seconds since 1970."""
        self._era = 0
        self._generation = 0
        # Two halves, each at most half of the bound: the young one becomes the old one, which is forgotten whole.
        # No order to keep, no lock, and a token in use moves back to the young half.
        self._half = cache_size // 2
        self._young: dict[str, _Known] = {}
        self._old: dict[str, _Known] = {}

    @property
    def remembered(self) -> int:
        """How many tokens are remembered."""
        return len(self._young) + len(self._old)

    def rows_changed(self) -> None:
        """Rows were written: every remembered token is looked up again."""
        self._generation += 1

    def terms_changed(self) -> None:
        """Keys, terms or the whole table changed: every remembered token is verified again."""
        self._era += 1  # first: see `verify`
        self._generation += 1

    def recall(self, token: str, wall: float) -> Claims | None:
        """The claims of a remembered token that needs no look-up and is good at this time; None: `verify` has to judge."""
        generation = self._generation
        if type(token) is str and len(token) <= MAX_TOKEN_BYTES:
            known = self._young.get(token)
            if (
                known is not None
                and known.generation == generation
                and known.since <= wall < known.until
                and self.newest_t < known.until
            ):
                return known.claims
        return None

    def verify(self, token: str, wall: float) -> Claims:
        """The claims of an acceptable token. Raises a `TokenError`. `wall` is the own clock, seconds since 1970."""
        # Before anything is looked up, and in this order.
        generation, era = self._generation, self._era
        if type(token) is not str or len(token) > MAX_TOKEN_BYTES:
            token = _plain(token)
        known = self._young.get(token)
        young = known is not None
        if known is None:
            known = self._old.get(token)
        if known is None or known.era != era:
            known, young = self._examine(token, era, generation), False
            self._check_rows(known.names)
        elif known.generation != generation:
            self._check_rows(known.names)
            known.generation = generation
        # After the look-up: when a row expired in between, this sees a newer `t`, by which the token has expired too.
        now = wall if wall > self.newest_t else self.newest_t
        if not known.since <= now < known.until:
            check_time(known.claims, now, known.leeway)
        if not young:
            self._remember(token, known)
        return known.claims

    def authenticate(self, token: str) -> Claims:
        """The claims of a token that a trusted key signed and that fits the profile, be it revoked or expired."""
        return self._examine(_plain(token), self._era, self._generation).claims

    def _examine(self, token: str, era: int, generation: int) -> _Known:
        keyring = self.keyring
        members, key, signing_input = authenticate(token, keyring, self.profile)
        names = TokenNames(members, signing_input, key, keyring)
        since, until = good_between(members, keyring.leeway)
        return _Known(Claims.owning(members), names, keyring.leeway, since, until, era, generation)

    def _check_rows(self, names: TokenNames) -> None:
        refusal = self.denylist.refusal(names)
        if refusal is not None:
            kind = kind_name(refusal.kind, self.keyring.declared)
            raise TokenRevoked(kind, refusal.slot.name.lower())

    def _remember(self, token: str, known: _Known) -> None:
        if not self._half:
            return
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[token] = known


def _plain(token: object) -> str:
    """The token as the text that it is. Raises `TokenMalformed` for anything else, and before a giant is even hashed."""
    if not isinstance(token, str):
        raise TokenMalformed("The token is not a string.")
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenMalformed(f"The token is longer than {MAX_TOKEN_BYTES} bytes.")
    # A subclass may compare as it likes, and the memory compares.
    return str.__str__(token)
