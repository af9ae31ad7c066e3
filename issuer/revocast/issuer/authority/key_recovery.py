"""Key documents and token keys after a restore: what `revocast.keys` says, beside what the database still has.

* Of two states of a key the one that is further along counts: nothing that was revoked, or signs no more, comes back.
* A key whose private half is gone signs no more. If it was announced or active it retires now: what it signed is accepted
  until it expires, and it can be revoked like any other.
* A key that was published and is listed no more is over: retired, or revoked if that was the last that was said.
* Key sets of an event key that the root delegates no more, because it was compromised, say nothing about keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from revocast.issuer.authority.lifecycle import KeyState, TokenKey
from revocast.issuer.errors import LogMismatch
from revocast.schemas.delegations import DelegationList
from revocast.schemas.events import Envelope
from revocast.schemas.keyset import KeySet
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict

__all__ = ["DocumentReview", "Published", "recovered_keys"]

_ORDER: Final = list(KeyState)
_TIME_OF: Final = {
    KeyState.ANNOUNCED: "announced_at",
    KeyState.ACTIVE: "activated_at",
    KeyState.RETIRING: "retiring_at",
    KeyState.RETIRED: "retired_at",
    KeyState.REVOKED: "revoked_at",
}


@dataclass(frozen=True, slots=True)
class Published:
    """A key document that a reader believes."""

    document: KeySet | DelegationList
    compact: bytes
    kid: str

    @classmethod
    def read(cls, compact: bytes) -> "Published":
        """Of bytes that `Trust` has accepted."""
        envelope = Envelope.parse(compact)
        event = envelope.event()
        kind = KeySet if event.type == KeySet.TYPE else DelegationList
        return cls(kind.from_event(event), compact, envelope.kid)


class DocumentReview:
    """Reads `revocast.keys` from its first record, behind what the database knows for certain (`believed`)."""

    def __init__(self, issuer: str, root: str, believed: Sequence[bytes]) -> None:
        self.trust = Trust(issuer, root)
        self._waiting: dict[int, bytes] = {}
        self._applied: list[Published] = []
        self.on_topic: set[bytes] = set()
        """The bytes of every believed document that Kafka has."""
        for offset, compact in enumerate(believed, start=-len(believed)):
            self.receive(compact, offset)
        self.before = self.trust.delegations
        """The delegation list that the database has in force."""

    @property
    def published(self) -> Sequence[Published]:
        """What a reader believed, in its order."""
        return self._applied

    @property
    def key_sets(self) -> list[KeySet]:
        """Those whose signer is still delegated."""
        return [
            each.document
            for each in self._applied
            if isinstance(each.document, KeySet) and self.trust.record_key(each.kid) is not None
        ]

    def receive(self, value: bytes | None, offset: int) -> None:
        """Judge one record. Raises `LogMismatch` when a newer release wrote it."""
        if value is not None:
            self._waiting[offset] = value
        self._sort(self.trust.receive(value, offset))

    def settle(self) -> None:
        """The topic was read to its end."""
        self._sort(self.trust.settle())

    def _sort(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            if verdict.outcome is Outcome.HELD:
                continue
            compact = self._waiting.pop(verdict.offset, b"")
            if verdict.outcome is Outcome.UPGRADE:
                raise LogMismatch(
                    f"keys topic, offset {verdict.offset}: signed and not understood; run the newer release of the "
                    "issuer that wrote it"
                )
            if verdict.outcome is Outcome.APPLIED:
                self._applied.append(Published.read(compact))
            if verdict.outcome in (Outcome.APPLIED, Outcome.REPLAY) and verdict.offset >= 0:
                self.on_topic.add(compact)


@dataclass(frozen=True, slots=True)
class _Life:
    """A key's published life: its newest state, and by state when a key set said so first."""

    jwk: Mapping[str, Any]
    alg: str
    state: KeyState
    since: Mapping[KeyState, int]


def recovered_keys(
    stored: Iterable[TokenKey], key_sets: Sequence[KeySet], issuer: str, now: int
) -> list[TokenKey]:
    """The keys that are new or other than stored. `key_sets`: what a reader believes, in its order."""
    ours = {key.kid: key for key in stored}
    merged = []
    for kid, life in _lives(key_sets, issuer).items():
        known = ours.get(kid)
        key = _joined(known, life, now) if known else _without_private_half(kid, life, now)
        if key != known:
            merged.append(key)
    return merged


def _joined(known: TokenKey, life: _Life, now: int) -> TokenKey:
    times: dict[str, Any] = {
        name: life.since[state]
        for state, name in _TIME_OF.items()
        if state in life.since and getattr(known, name) is None
    }
    if "announced_at" in times:
        times["announced_at"] = now  # when Kafka had it is not known, and a key must not sign too early
    return replace(known, state=max(known.state, life.state, key=_ORDER.index), **times)


def _without_private_half(kid: str, life: _Life, now: int) -> TokenKey:
    state, since = life.state, dict(life.since)
    if state in (KeyState.ANNOUNCED, KeyState.ACTIVE):
        state = KeyState.RETIRING
        since[state] = now
    times: dict[str, Any] = {_TIME_OF[each]: t for each, t in since.items()}
    return TokenKey(kid, life.alg, life.jwk, state, min(since.values()), announce_seconds=0, **times)


def _lives(key_sets: Sequence[KeySet], issuer: str) -> dict[str, _Life]:
    lives: dict[str, _Life] = {}
    for key_set in key_sets:
        own = key_set.of(issuer)
        listed = {entry.public.kid: entry for entry in own.keys} if own else {}
        for kid, entry in listed.items():
            before = lives.get(kid) or _Life(entry.jwk, entry.public.alg, entry.state, {})
            lives[kid] = _moved(before, entry.state, key_set.t)
        for kid in lives.keys() - listed.keys():
            if lives[kid].state is not KeyState.REVOKED:
                lives[kid] = _moved(lives[kid], KeyState.RETIRED, key_set.t)
    return lives


def _moved(life: _Life, state: KeyState, t: int) -> _Life:
    return replace(life, state=state, since={state: t, **life.since})
