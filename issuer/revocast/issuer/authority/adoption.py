"""Whether a delegation list may be taken into force, and what it then changes here. The root decides; this only refuses
what could not work:

* It follows the list in force by the same rules as at every reader (`revocast.schemas.trust`), and has not expired.
* It delegates, without a bound, an event key whose private half is here: else nothing could be signed any more.
* Within an epoch, every record that was signed must go on verifying: no key that signed one is left out, and no bound lies
  below the last one. What cannot keep that opens the next epoch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from revocast.issuer.authority.event_keys import EventKey, EventKeyState, active_of, states_under
from revocast.issuer.errors import Conflict, InvalidRequest
from revocast.schemas.delegating import InForce
from revocast.schemas.delegations import DelegationList, Role
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome

__all__ = ["Adoption", "Place", "Situation", "judge"]

Place = tuple[int, int]
"""(epoch, n)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the decision depends on. `in_force` is None before the first list; `root` is the pinned root's thumbprint.

    `last` is, by kid, the last record that an event key signed.
    """

    issuer: str
    root: str
    in_force: bytes | None
    epoch: int
    keys: Sequence[EventKey]
    last: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Adoption:
    """What the list changes. `opener` is the hash that record 1 names as `prev`, if the list brings a new epoch."""

    listed: DelegationList
    root: str
    active: str
    states: Mapping[str, EventKeyState]
    opener: bytes | None


def judge(compact: bytes, situation: Situation, now: float) -> Adoption:
    """The decision at `now`. Raises `Conflict` or `InvalidRequest`, naming what is wrong with the list."""
    before, given = _verified(compact, situation)
    listed = given.listed
    if listed.expires_at <= now:
        raise InvalidRequest("list: has expired")
    opens = listed.epoch != situation.epoch
    if opens and listed.epoch != situation.epoch + 1:
        raise Conflict(
            f"list: opens epoch {listed.epoch}, and the next one after {situation.epoch} is {situation.epoch + 1}"
        )
    active = active_of(situation.keys, listed)
    if active is None:
        raise Conflict(f"list: delegates no event key of this issuer without a bound; {_pending(situation)}")
    if not opens:
        _check_records_stay(listed, situation)
    return Adoption(
        listed,
        root=listed.roots.chain(situation.root, situation.issuer).last.kid,
        active=active,
        states=states_under(situation.keys, before, listed),
        opener=listed.opener_hash(given.hash) if opens else None,
    )


def _verified(compact: bytes, situation: Situation) -> tuple[DelegationList | None, InForce]:
    trust = Trust(situation.issuer, situation.root)
    if situation.in_force is not None:
        trust.receive(situation.in_force, 0)
    before = trust.delegations
    verdict = trust.receive(compact, 1)[0]
    if verdict.outcome is Outcome.REPLAY:
        raise Conflict(f"list: {verdict.reason}, which is version {trust.versions[0]}")
    if verdict.outcome is Outcome.HELD or (
        verdict.outcome is Outcome.APPLIED and trust.delegations is before
    ):
        raise InvalidRequest("list: is not a delegation list")
    if verdict.outcome is not Outcome.APPLIED:
        raise InvalidRequest(f"list: {verdict.reason}")
    return before, InForce.read(compact)


def _check_records_stay(listed: DelegationList, situation: Situation) -> None:
    for kid, last in situation.last.items():
        if last[0] != situation.epoch:
            continue
        delegate = listed.delegate(kid, Role.EVENT)
        if delegate is None:
            raise Conflict(
                f"list: leaves out {kid}, which signed records of epoch {situation.epoch}; give it a bound, or open "
                "the next epoch"
            )
        if not delegate.covers(*last):
            raise Conflict(
                f"list: the bound of {kid} is below {last[0]}/{last[1]}, the last record that it signed"
            )


def _pending(situation: Situation) -> str:
    pending = [key.kid for key in situation.keys if key.state is EventKeyState.PENDING]
    return f"pending: {', '.join(pending)}" if pending else "none is pending; make one first"
