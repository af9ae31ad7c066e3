"""The next version of a delegation list: what each decision of the root's holder changes, and nothing else.

Each function takes the list in force and its place, and answers an unsigned successor; `DelegationList.signed` with the root
makes it count. The rules, so that no list can be signed which readers would have to refuse:

* `version` rises by one, `t` never falls, `expires_at` is set anew by every signature.
* Within an epoch `opened_by` stays; a list that opens an epoch has none.
* A key that is listed stays listed, except in a list that opens an epoch: its records must go on verifying.
* At least one event key without a bound is left: else nothing could be signed any more.
* No root is delegated to. An issuer that lies may offer a root's own public key as its event key.
* `distrust` names token-signing keys. A delegated key that was stolen is dropped by a new epoch instead.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from revocast.schemas.delegations import (
    MAX_LIST_BYTES,
    Bound,
    Delegate,
    DelegationList,
    Distrust,
    Role,
    Roots,
)
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PublicKey, canonical_json

__all__ = ["LIFETIME_DAYS", "WARNING_DAYS", "InForce", "expiry_warning", "first_list"]

LIFETIME_DAYS: Final = 365
WARNING_DAYS: Final = 60
"""From so many days before the expiry on, everyone who reads the list says so."""
_MAX_DAYS: Final = 10 * LIFETIME_DAYS
_DAY: Final = 86_400
_CLAIMS_BYTES: Final = 2048  # what stands around the list in its payload


@dataclass(frozen=True)
class InForce:
    """The list in force and its hash. `read` makes it of the signed bytes."""

    listed: DelegationList
    hash: bytes

    @classmethod
    def read(cls, compact: bytes) -> "InForce":
        """Of signed bytes that somebody else has verified. Raises `SchemaError`."""
        envelope = Envelope.parse(compact)
        return cls(DelegationList.from_event(envelope.event()), envelope.hash)

    def renewed(self, now: int, days: int = LIFETIME_DAYS) -> DelegationList:
        """The same, with a new expiry."""
        return self._next(now, days)

    def delegated(
        self, jwks: Iterable[tuple[Mapping[str, Any], Role]], now: int, days: int
    ) -> DelegationList:
        """More keys. Raises `SchemaError` for one that is listed."""
        return self._next(now, days, keys=(*self.listed.keys, *_delegates(jwks)))

    def retired(self, kid: str, bound: Bound, now: int, days: int) -> DelegationList:
        """The event or snapshot key is good up to `bound` and for nothing else. Raises `SchemaError`."""
        old = self._key(kid)
        if old.bound is not None and old.bound != bound:
            raise SchemaError(f"kid: {kid} has been retired already")
        keys = tuple(
            key.model_copy(update={"bound": bound}) if key is old else key for key in self.listed.keys
        )
        return self._next(now, days, keys=keys)

    def new_epoch(
        self,
        now: int,
        days: int,
        *,
        without: Iterable[str] = (),
        jwks: Iterable[tuple[Mapping[str, Any], Role]] = (),
    ) -> DelegationList:
        """Open the next epoch, `without` the compromised kids and what was retired, with more keys. Raises `SchemaError`."""
        dropped = {self._key(kid).public.kid for kid in without}
        kept = (key for key in self.listed.keys if key.bound is None and key.public.kid not in dropped)
        keys = (*kept, *_delegates(jwks))
        return self._next(now, days, keys=keys, epoch=self.listed.epoch + 1, opened_by=None)

    def distrusting(self, kids: Iterable[str], now: int, days: int, *, issuer: bool) -> DelegationList:
        """Refuse what these kids signed, beside those refused before; `issuer`: refuse everything. Raises `SchemaError`."""
        earlier = self.listed.distrust
        if delegated := set(kids := tuple(kids)) & {key.public.kid for key in self.listed.keys}:
            raise SchemaError(
                f"kid: {min(delegated)} signs no tokens; it is on the delegation list, which `compromised` takes it off"
            )
        distrust = Distrust(
            kids=tuple(dict.fromkeys((*earlier.kids, *kids))), issuer=issuer or earlier.issuer
        )
        return self._next(now, days, distrust=distrust)

    def trusting_again(self, kids: Iterable[str], now: int, days: int, *, issuer: bool) -> DelegationList:
        """End the distrust of these kids, or of the issuer. Raises `SchemaError` for what is not distrusted."""
        earlier, ended = self.listed.distrust, set(kids)
        if unknown := ended - set(earlier.kids):
            raise SchemaError(f"kid: {min(unknown)} is not distrusted")
        if issuer and not earlier.issuer:
            raise SchemaError("issuer: is not distrusted")
        kept = tuple(kid for kid in earlier.kids if kid not in ended)
        return self._next(now, days, distrust=Distrust(kids=kept, issuer=earlier.issuer and not issuer))

    def rooted(self, roots: Roots, now: int, days: int) -> DelegationList:
        """The same under a new root; the new root signs this list."""
        return self._next(now, days, roots=roots)

    def _next(self, now: int, days: int, **changes: Any) -> DelegationList:
        listed = self.listed
        t = max(now, listed.t)
        fields = {
            "t": t,
            "version": listed.version + 1,
            "epoch": listed.epoch,
            "opened_by": listed.opener_hash(self.hash),
            "expires_at": _expiry(t, days),
            "keys": listed.keys,
            "distrust": listed.distrust,
            "roots": listed.roots,
            **changes,
        }
        return _listing(fields)

    def _key(self, kid: str) -> Delegate:
        found = next((key for key in self.listed.keys if key.public.kid == kid), None)
        if found is None:
            raise SchemaError(f"kid: {kid} is not on the delegation list")
        return found


def first_list(
    root: PublicKey, jwks: Iterable[tuple[Mapping[str, Any], Role]], now: int, days: int = LIFETIME_DAYS
) -> DelegationList:
    """Version 1, which opens epoch 1. Raises `SchemaError`."""
    fields = {
        "t": now,
        "version": 1,
        "epoch": 1,
        "expires_at": _expiry(now, days),
        "keys": _delegates(jwks),
        "roots": Roots(first=dict(root.jwk)),
    }
    return _listing(fields)


def expiry_warning(expires_at: int, now: float) -> str | None:
    """What everyone who reads the list says from `WARNING_DAYS` before its expiry on; None before. Times in seconds."""
    left = expires_at - now
    if left > WARNING_DAYS * _DAY:
        return None
    if left <= 0:
        return "the delegation list has expired: sign a new one with the root key (`revocast trust renew`)"
    days = int(left // _DAY)
    return f"the delegation list expires in {days} days: sign a new one with the root key (`revocast trust renew`)"


def _expiry(t: int, days: int) -> int:
    if not 0 < days <= _MAX_DAYS:
        raise SchemaError(f"days: must be 1 to {_MAX_DAYS}")
    return t + days * _DAY


def _listing(fields: Mapping[str, Any]) -> DelegationList:
    try:
        successor = DelegationList(**fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise SchemaError(f"{where}{first.get('ctx', {}).get('error') or first['msg']}") from None
    if not any(key.role is Role.EVENT and key.bound is None for key in successor.keys):
        raise SchemaError("keys: no event key would be left that signs; delegate another one first")
    if {key.public.kid for key in successor.keys} & set(successor.roots.claimed()):
        raise SchemaError("keys: a root signs lists and nothing else; it cannot be delegated to")
    if len(canonical_json(successor.model_dump(mode="json"))) > MAX_LIST_BYTES - _CLAIMS_BYTES:
        raise SchemaError("the list is longer than readers take: take back kids that are distrusted no more")
    return successor


def _delegates(jwks: Iterable[tuple[Mapping[str, Any], Role]]) -> tuple[Delegate, ...]:
    try:
        return tuple(Delegate(jwk=dict(jwk), role=role) for jwk, role in jwks)
    except ValidationError:
        raise SchemaError("jwk: is not a public key to delegate to") from None
