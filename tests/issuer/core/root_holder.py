"""The root's holder of a test's authority: decides, signs, and brings the list to the issuer, or leaves that to the test."""

from collections.abc import Mapping
from typing import Any

from revocast.issuer.trust_desk import Adopted
from revocast.schemas.delegating import LIFETIME_DAYS, InForce
from revocast.schemas.delegations import Bound, DelegationList, Role
from revocast.schemas.jose import PrivateKey
from tests.issuer.core.authority import ISSUER, Authority

DAYS = LIFETIME_DAYS


class RootHolder:
    """`root` is the key that signs; after a rotation, the test sets it to the new one."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.root = PrivateKey.from_pem(authority.home.root.read_bytes())

    @property
    def now(self) -> int:
        return int(self.authority.clock())

    @property
    def in_force(self) -> InForce:
        return InForce.read(self.authority.service.delegations())

    @property
    def active(self) -> str:
        """The event key that signs."""
        return next(key.kid for key in self.authority.service.trust().keys if key.state == "active")

    def state(self, kid: str) -> str:
        return next(key.state for key in self.authority.service.trust().keys if key.kid == kid)

    def last(self, kid: str) -> Bound:
        """The last record that an event key signed."""
        last = next(key.last for key in self.authority.service.trust().keys if key.kid == kid)
        assert last is not None
        return Bound(epoch=last[0], n=last[1])

    def new_key(self) -> tuple[Mapping[str, Any], Role]:
        return self.authority.service.make_event_key(actor="alice").jwk, Role.EVENT

    def signed(self, listed: DelegationList) -> bytes:
        return listed.signed(ISSUER, self.root)

    def adopt(self, listed: DelegationList) -> Adopted:
        return self.authority.service.adopt(self.signed(listed), actor="alice")

    # -- the decisions -----------------------------------------------------------------------------------------------

    def delegate(self) -> str:
        """A new event key beside the others; it signs from now on."""
        return self.adopt(self.in_force.delegated([self.new_key()], self.now, DAYS)).active

    def retire(self, kid: str) -> Adopted:
        """The key is good up to its last record."""
        return self.adopt(self.in_force.retired(kid, self.last(kid), self.now, DAYS))

    def compromised(self, kid: str) -> DelegationList:
        """The list that drops the key and opens the next epoch under a new one."""
        return self.in_force.new_epoch(self.now, DAYS, without=[kid], jwks=[self.new_key()])

    def new_epoch(self) -> DelegationList:
        """The list that opens the next epoch and drops nothing."""
        return self.in_force.new_epoch(self.now, DAYS)
