"""What the guard says of itself, for a health endpoint, a log or a person."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from revocast.schemas.chain import Chain
from revocast.schemas.delegating import expiry_warning
from revocast.schemas.trust import Trust
from revocast.sdk.denylist import Size
from revocast.sdk.freshness import Freshness, State
from revocast.sdk.instant import Instant
from revocast.sdk.jwks.source import SourceHealth
from revocast.sdk.signatures import Signatures
from revocast.sdk.verifier import Verifier

__all__ = ["Health", "health_of", "warnings_of"]

_SKEW_WARNING: Final = 5


@dataclass(frozen=True, slots=True)
class Health:
    """A moment's state. Ages and `clock_skew` in seconds (None: not known yet), `t` and `expires_at` (the delegation list's) in seconds since 1970.

    `lag` is by how many records the log has been read less far than the newest checkpoint says (None: not comparable yet). `rows` is
    how many rows are held, at most: those that expired, or that a later one repeats, are counted until the next merge. `keys` and `remembered` (tokens) are counts; `size` is the deny-list in rows and bytes, base and overlay. `origin` is where the start
    began: `local copy`, `snapshot` or `log`, `start_seconds` how long it took until ready (None: it was not yet), and `base_n` the record after which the base is the table. `signatures` names what checks them. `counters` counts records by
    `<topic>.<outcome>`, refused tokens by `refused.<code>`, questions to the issuer by `introspection.<outcome>`, requests for foreign key sets by
    `jwks.<outcome>`, foreign tokens under unknown keys by `unknown_kid.<outcome>` and changes of state by
    `transition.<before>.<after>`. `warnings` are sentences. `foreign` is how the key sets of foreign issuers stand.
    """

    state: State
    reason: str
    epoch: int
    n: int
    t: int
    delegations: int
    key_set: int
    expires_at: int | None
    link_age: float | None
    authority_age: float | None
    clock_skew: int | None
    lag: int | None
    rows: int
    size: Size
    keys: int
    remembered: int
    signatures: Signatures
    counters: Mapping[str, int]
    warnings: tuple[str, ...]
    origin: str = ""
    start_seconds: float | None = None
    base_n: int = 0
    foreign: Mapping[str, SourceHealth] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether tokens are judged on a current state."""
        return self.state is State.READY

    def adding(
        self,
        counters: Mapping[str, int],
        warnings: Iterable[str],
        origin: str,
        foreign: Mapping[str, SourceHealth],
        start_seconds: float | None = None,
    ) -> "Health":
        """The same, with more counters and warnings, with where the start began and what it took, and with the foreign issuers."""
        return replace(
            self,
            counters={**self.counters, **counters},
            warnings=(*self.warnings, *warnings),
            origin=origin,
            foreign=foreign,
            start_seconds=start_seconds,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "size": self.size._asdict(), "ready": self.ready}


def health_of(
    trust: Trust,
    chain: Chain,
    freshness: Freshness,
    verifier: Verifier,
    counters: Mapping[str, int],
    now: Instant,
) -> Health:
    """Put the snapshot together."""
    position, (delegations, key_set) = chain.position, trust.versions
    return Health(
        state=freshness.state,
        reason=freshness.reason,
        epoch=position.epoch if position else 0,
        n=position.n if position else 0,
        t=position.t if position else 0,
        delegations=delegations,
        key_set=key_set,
        expires_at=trust.delegations.expires_at if trust.delegations else None,
        link_age=freshness.link_age(now),
        authority_age=freshness.authority_age(now),
        clock_skew=freshness.clock_skew,
        lag=_lag(chain),
        rows=len(verifier.denylist),
        size=verifier.denylist.size,
        base_n=verifier.denylist.base_n,
        keys=len(verifier.keyring),
        remembered=verifier.remembered,
        signatures=verifier.signatures.name,
        counters=dict(counters),
        warnings=tuple(warnings_of(trust, freshness, now).values()),
    )


def _lag(chain: Chain) -> int | None:
    position, checkpoint = chain.position, chain.checkpoint
    if position is None or checkpoint is None or position.epoch != checkpoint.epoch:
        return None
    return max(0, checkpoint.n - position.n)


def warnings_of(trust: Trust, freshness: Freshness, now: Instant) -> dict[str, str]:
    """What needs somebody's attention though tokens may still be judged: a sentence for each subject."""
    found: dict[str, str] = {}
    age, listed = freshness.authority_age(now), trust.delegations
    if age is not None and age > freshness.limits.authority_alarm:
        found["authority"] = (
            f"the issuer has signed no new checkpoint for more than {freshness.limits.authority_alarm:.0f} s: is its relay alive?"
        )
    if listed is not None and (warning := expiry_warning(listed.expires_at, now.wall)):
        found["delegations"] = warning
    if (skew := freshness.clock_skew) is not None and abs(skew) > _SKEW_WARNING:
        found["clock"] = (
            f"this clock is {abs(skew)} s {'ahead of' if skew > 0 else 'behind'} the issuer's: set it by NTP"
        )
    return found
