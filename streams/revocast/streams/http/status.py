"""Keys, status and health of one worker."""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Response

from revocast.schemas.keyset import KeySet
from revocast.streams.chain_agent import ChainAgent
from revocast.streams.control import Clock, ControlReader
from revocast.streams.errors import Behind
from revocast.streams.http.models import (
    AbandonedCutView,
    Health,
    Keys,
    KeysOfIssuer,
    Place,
    PublicKeyState,
    ShardStatus,
    Snapshots,
    SnapshotView,
    Status,
)
from revocast.streams.peers import Peers
from revocast.streams.snapshots.catalogue import Catalogue
from revocast.streams.snapshots.gatherer import Gatherer
from revocast.streams.view import View

__all__ = ["Served", "status_routes"]


@dataclass(frozen=True, slots=True)
class Served:
    """What of a worker the API tells about, and the `url` at which it does."""

    view: View
    control: ControlReader
    chain: ChainAgent
    catalogue: Catalogue
    gatherer: Gatherer
    peers: Peers
    url: str
    clock: Clock


def status_routes(worker: Served) -> APIRouter:
    """The routes that tell about the worker itself."""
    routes = APIRouter(tags=["status"])
    view, control, chain, clock = worker.view, worker.control, worker.chain, worker.clock

    @routes.get("/v1/keys", responses={503: {"description": "no key set has been read"}})
    async def keys() -> Keys:
        """The newest key set: kids, algorithms and states."""
        if control.trust.key_set is None:
            raise Behind("no key set has been read yet")
        return _shown(control.trust.key_set, int(clock()))

    @routes.get("/v1/status")
    async def status() -> Status:
        """Where this worker stands, and who holds what."""
        held = view.held
        marks = [mark for mark in held.values() if mark]
        slowest = (
            min(marks, key=lambda mark: (mark.epoch, mark.n)) if len(marks) == len(held) and marks else None
        )
        checkpoint, reasons = control.checkpoint, view.unready()
        follower = chain.follower
        return Status(
            ready=not reasons,
            reasons=reasons,
            url=worker.url,
            at=Place.of(slowest) if slowest else None,
            lag=view.lag(slowest),
            checkpoint=Place.of(checkpoint) if checkpoint else None,
            link_age=control.link_age,
            authority_age=max(0.0, clock() - checkpoint.t) if checkpoint else None,
            key_set=control.trust.versions,
            partitions={
                partition: ShardStatus(at=Place.of(mark) if mark else None, lag=view.lag(mark))
                for partition, mark in held.items()
            },
            owners=dict(sorted(worker.peers.owners.items())),
            chain=Place.of(follower.mark) if follower and follower.mark else None,
            flaws=[str(flaw) for flaw in follower.chain.flaws] if follower else [],
            snapshots=_snapshots(worker.catalogue, worker.gatherer, clock()),
            outcomes=_outcomes(control, chain),
            warnings=[control.expiry] if control.expiry else [],
        )

    @routes.get("/healthz")
    async def healthz() -> Health:
        """Whether the process answers at all."""
        return Health(ok=True)

    @routes.get("/readyz", responses={503: {"model": Health}})
    async def readyz(response: Response) -> Health:
        """Whether this worker answers for certain for every partition that it holds."""
        reasons = view.unready()
        if reasons:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Health(ok=not reasons, reasons=reasons)

    return routes


def _snapshots(catalogue: Catalogue, gatherer: Gatherer, now: float) -> Snapshots:
    listed = [SnapshotView.of(snapshot, now) for snapshot in catalogue.snapshots]
    return Snapshots(
        taken=gatherer.enabled,
        newest=next(reversed(listed), None),
        newest_countersigned=next((each for each in reversed(listed) if each.countersigned), None),
        abandoned=[AbandonedCutView.of(cut) for cut in gatherer.abandoned],
    )


def _outcomes(control: ControlReader, chain: ChainAgent) -> dict[str, dict[str, int]]:
    by_topic: dict[str, dict[str, int]] = {}
    for (topic, outcome), count in control.outcomes.items():
        by_topic.setdefault(topic, {})[outcome] = count
    if chain.follower:
        by_topic[chain.log_topic] = {
            str(outcome): count for outcome, count in chain.follower.outcomes.items()
        }
    return by_topic


def _shown(key_set: KeySet, now: int) -> Keys:
    return Keys(
        delegations=key_set.delegations,
        version=key_set.version,
        leeway=key_set.leeway,
        claims=list(key_set.claims),
        issuers=[
            KeysOfIssuer(
                issuer=entry.issuer,
                max_lifetime=entry.max_lifetime(now),
                keys=[
                    PublicKeyState(kid=key.public.kid, alg=key.public.alg, state=key.state.value)
                    for key in entry.keys
                ],
            )
            for entry in key_set.issuers
        ],
    )
