"""Any history, any delivery: a guard that says `ready` accepts exactly what the authority's table does not refuse.

Two readers follow the same topics: one is shown everything as it comes, the other as a bad network shows it (late, twice,
out of order, lost and read again). Both are asked about the same tokens as the authority's own table.
"""

import math
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from revocast.schemas.naming import values_of
from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.selector import BUILT_IN_KINDS, Selector
from revocast.sdk.core import Received
from revocast.sdk.errors import GuardUnavailable, TokenExpired, TokenRevoked, UnknownKey
from revocast.sdk.freshness import State, Topic
from revocast.testing import Authority, Delivery, core_for
from revocast.testing.tokens import claims_of

SUBJECTS = ("alice", "bob")
CLIENTS = ("app", "web")


@dataclass
class Minted:
    text: str
    kid: str
    refused_until_lift: bool = False


class Histories(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.authority = Authority(claims=("tenant",), max_lifetime=60, leeway=5)
        self.good = Delivery(self.authority, core_for(self.authority))
        self.bad = Delivery(self.authority, core_for(self.authority))
        self.tokens: list[Minted] = []
        self.settle()

    # --- what the issuer does

    @rule(sub=st.sampled_from(SUBJECTS), client=st.sampled_from(CLIENTS), lifetime=st.integers(1, 60))
    def mint(self, sub: str, client: str, lifetime: int) -> None:
        text = self.authority.mint(
            sub=sub, client_id=client, lifetime=lifetime, tenant="acme", sid=f"{sub}-session"
        )
        minted = Minted(text, self.authority.active.kid)
        if not self.authority_refuses(minted):  # an issuer mints nothing that it would refuse
            self.tokens = [*self.tokens[-7:], minted]

    @rule(data=st.data(), slot=st.sampled_from(Slot), forever=st.booleans())
    def revoke(self, data: st.DataObject, slot: Slot, forever: bool) -> None:
        selector = data.draw(self.selectors())
        if slot is Slot.CUTOFF:
            self.authority.cutoff(selector)
        else:
            self.authority.block(selector, NEVER if forever else self.authority.now + 65)

    @rule(data=st.data(), slot=st.sampled_from(Slot))
    def lift(self, data: st.DataObject, slot: Slot) -> None:
        self.authority.lift(data.draw(self.selectors()), slot)
        for minted in self.tokens:
            minted.refused_until_lift = False

    @rule(data=st.data())
    def shorten(self, data: st.DataObject) -> None:
        name, kind = self.authority.name(data.draw(self.selectors()))
        until = self.authority.now + 65
        self.authority.append([Row.for_lift(name, kind, Slot.BLOCK), Row.for_block(name, kind, until)])
        for minted in self.tokens:
            minted.refused_until_lift = False

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.authority.now += seconds
        self.authority.append()
        self.authority.checkpoint()

    @rule()
    def rotate(self) -> None:
        self.authority.rotate()

    @rule()
    def rotate_event_key(self) -> None:
        self.authority.rotate_event_key()

    @rule()
    def new_epoch(self) -> None:
        self.authority.new_epoch()

    # --- what the network does to the bad reader

    @rule(topic=st.sampled_from(Topic))
    def show_some(self, topic: Topic) -> None:
        self.bad.feed(topic)

    @rule(topic=st.sampled_from(Topic), index=st.integers(0, 30))
    def show_again(self, topic: Topic, index: int) -> None:
        messages = self.bad.logs[topic].messages
        message = messages[index % len(messages)]
        self.bad.core.receive(topic, [Received(message.offset, message.value)], self.bad.now)

    @rule()
    def lose_the_tail_and_read_again(self) -> None:
        self.bad.offsets[Topic.LOG] = self.authority.log.end  # everything up to here was lost on the way
        self.bad.deliver()
        self.bad.reread()

    @rule(index=st.integers(0, 30))
    def replay_to_all(self, index: int) -> None:
        self.authority.log.replay(index % len(self.authority.log))

    @rule(topic=st.sampled_from(Topic), index=st.integers(0, 30))
    def forge(self, topic: Topic, index: int) -> None:
        log = self.bad.logs[topic]
        log.forge(index % len(log))

    @rule()
    def restart(self) -> None:
        self.bad = Delivery(self.authority, core_for(self.authority))

    @rule()
    def read_anew(self) -> None:
        fresh = Delivery(self.authority, self.bad.core.afresh())
        fresh.deliver()
        if fresh.core.may_take_over(self.bad.core, fresh.now):
            fresh.core.take_over(self.bad.core, fresh.now)
            self.bad = fresh

    # --- what must hold

    @rule()
    def settle(self) -> None:
        self.authority.checkpoint()
        for reader in (self.good, self.bad):
            reader.deliver()
            if reader.core.chain.position != self.authority.position:
                reader.reread()
            assert reader.core.chain.position == self.authority.position
            assert reader.core.state is State.READY
            assert reader.core.table() == (self.authority.position, self.authority.table.pack())
            for minted in self.tokens:
                assert self.refuses(reader, minted) == self.authority_refuses(minted)

    @invariant()
    def nothing_refused_is_accepted_again_without_a_lift(self) -> None:
        self.good.deliver()
        if self.good.core.state is not State.READY:
            return  # it says so, and refuses everything for a while
        for minted in self.tokens:
            refused = self.refuses(self.good, minted)
            assert refused or not minted.refused_until_lift
            minted.refused_until_lift = refused

    # --- inside

    def refuses(self, reader: Delivery, minted: Minted) -> bool:
        try:
            reader.core.verify(minted.text, reader.now)
        except (TokenRevoked, TokenExpired, UnknownKey, GuardUnavailable):
            return True
        return False

    def authority_refuses(self, minted: Minted) -> bool:
        claims = claims_of(minted.text)
        if claims["exp"] + self.authority.leeway <= self.authority.now:
            return True
        for kind in (*BUILT_IN_KINDS, "claim:tenant"):
            values = values_of(kind, claims, minted.kid, b"")
            if values is None:
                continue
            name, code = self.authority.name(Selector(self.authority.issuer, kind, values))
            cutoff = self.authority.table.get(name, code, Slot.CUTOFF)
            if self.authority.table.get(name, code, Slot.BLOCK) or (
                cutoff and math.floor(claims["iat"]) <= cutoff.cutoff
            ):
                return True
        return False

    def selectors(self) -> st.SearchStrategy[Selector]:
        issuer = self.authority.issuer
        fixed = [
            *(Selector.subject(issuer, sub) for sub in SUBJECTS),
            *(Selector.client(issuer, client) for client in CLIENTS),
            Selector.session(issuer, "alice-session"),
            Selector.subject_client(issuer, "alice", "app"),
            Selector.claim(issuer, "tenant", "acme"),
            Selector.key(issuer, self.authority.active.kid),
            Selector.issuer_wide(issuer),
        ]
        return st.sampled_from([*fixed, *(self.authority.token(minted.text) for minted in self.tokens)])


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
