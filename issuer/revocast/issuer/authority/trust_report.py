"""What the root's holder must know to decide the next delegation list, and what operators are shown of the one in force."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from revocast.issuer.authority.adoption import Place, Situation
from revocast.schemas.delegating import InForce
from revocast.schemas.delegations import Delegate, Role

__all__ = ["ListedKey", "TrustReport", "report_of"]

ListedState = Literal["pending", "active", "retired", "compromised", "delegated"]


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key of ours, or one that the list delegates: "delegated" is a snapshot key, or an event key that is not ours.

    `last` is the last record that it signed, `bound` the last one that it is good for.
    """

    kid: str
    role: Role
    state: ListedState
    jwk: Mapping[str, Any]
    bound: Place | None
    last: Place | None

    def members(self) -> dict[str, Any]:
        """The key as JSON has it."""
        return {
            "kid": self.kid,
            "role": self.role.value,
            "state": self.state,
            "bound": _place(self.bound),
            "last": _place(self.last),
            "jwk": dict(self.jwk),
        }


@dataclass(frozen=True, slots=True)
class TrustReport:
    """`list` is the signed list in force; None, version 0 and epoch 0 before the first one. `root` is a thumbprint."""

    issuer: str
    list: bytes | None
    version: int
    epoch: int
    n: int
    expires_at: int | None
    root: str
    keys: tuple[ListedKey, ...]
    reissuing: bool

    def members(self) -> dict[str, Any]:
        """The report as JSON has it: what the issuer answers, and what is carried to the root."""
        return {
            "issuer": self.issuer,
            "list": self.list.decode() if self.list is not None else None,
            "version": self.version,
            "epoch": self.epoch,
            "n": self.n,
            "expires_at": self.expires_at,
            "root": self.root,
            "keys": [key.members() for key in self.keys],
            "reissuing": self.reissuing,
        }


def report_of(situation: Situation, *, n: int, reissuing: bool) -> TrustReport:
    """The report; `n` is the head's."""
    listed = InForce.read(situation.in_force).listed if situation.in_force is not None else None
    delegates = {key.public.kid: key for key in listed.keys} if listed else {}
    ours = {key.kid: key for key in situation.keys}
    keys = [
        ListedKey(
            kid, Role.EVENT, key.state.value, key.jwk, _bound(delegates.get(kid)), situation.last.get(kid)
        )
        for kid, key in ours.items()
    ]
    keys += [
        ListedKey(
            kid,
            key.role,
            "delegated" if key.bound is None else "retired",
            key.jwk,
            _bound(key),
            situation.last.get(kid),
        )
        for kid, key in delegates.items()
        if kid not in ours
    ]
    return TrustReport(
        issuer=situation.issuer,
        list=situation.in_force,
        version=listed.version if listed else 0,
        epoch=situation.epoch,
        n=n,
        expires_at=listed.expires_at if listed else None,
        root=situation.root,
        keys=tuple(keys),
        reissuing=listed is not None and reissuing,
    )


def _bound(delegate: Delegate | None) -> Place | None:
    bound = delegate.bound if delegate else None
    return (bound.epoch, bound.n) if bound else None


def _place(place: Place | None) -> dict[str, int] | None:
    return {"epoch": place[0], "n": place[1]} if place is not None else None
