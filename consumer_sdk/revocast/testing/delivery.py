"""From the in-memory logs into a guard's core: what the Kafka follower does, instantly and without Kafka."""

from collections.abc import Collection
from dataclasses import replace

from revocast.schemas.verdict import Verdict
from revocast.sdk.clock import Instant
from revocast.sdk.core import NO_FLOOR, GuardCore, Received
from revocast.sdk.freshness import Limits, Topic
from revocast.sdk.policy import Policy
from revocast.sdk.profile import Profile
from revocast.sdk.readiness import Floor
from revocast.sdk.signatures import Signatures, backend_named
from revocast.testing.authority import Authority

__all__ = ["Delivery", "core_for"]


def core_for(
    authority: Authority,
    *,
    audience: str | None = None,
    limits: Limits | None = None,
    policy: Policy = "deny",
    floor: Floor = NO_FLOOR,
    required: frozenset[str] | None = None,
    foreign: Collection[str] = (),
    signatures: Signatures = "cryptography",
) -> GuardCore:
    """An empty core of a service that trusts this authority, and takes tokens of these `foreign` issuers.

    `required` replaces the claims that tokens must have.
    """
    profile = Profile(audience or authority.audience, frozenset({authority.issuer, *foreign}))
    if required is not None:
        profile = replace(profile, required=required)
    return GuardCore(
        issuer=authority.issuer,
        root=authority.pin,
        profile=profile,
        limits=limits,
        policy=policy,
        floor=floor,
        signatures=backend_named(signatures),
    )


class Delivery:
    """One reader's place in an authority's logs. Time is the authority's."""

    def __init__(self, authority: Authority, core: GuardCore) -> None:
        self.authority = authority
        self.core = core
        self.logs = {
            Topic.KEYS: authority.keys,
            Topic.CHECKPOINTS: authority.checkpoints,
            Topic.LOG: authority.log,
        }
        self.offsets = dict.fromkeys(Topic, 0)

    @property
    def now(self) -> Instant:
        """The authority's clock, as both clocks of the reader."""
        return Instant(self.authority.now, self.authority.now)

    def feed(self, topic: Topic) -> list[Verdict]:
        """Hand over what is new on one topic, without saying that its end was reached."""
        messages = self.logs[topic].since(self.offsets[topic])
        if messages:
            self.offsets[topic] = messages[-1].offset + 1
        return self.core.receive(topic, [Received(each.offset, each.value) for each in messages], self.now)

    def deliver(self) -> list[Verdict]:
        """Bring the core to the end of every topic, as a connected follower does."""
        verdicts: list[Verdict] = []
        for topic in Topic:
            verdicts += self.feed(topic)
            verdicts += self.core.caught_up(topic, self.core.ask(self.now), self.now)
        if self.core.wants_keys:
            asked = self.core.ask(self.now)
            verdicts += self.feed(Topic.KEYS)
            verdicts += self.core.caught_up(Topic.KEYS, asked, self.now)
        self.core.handle_timer(self.now)
        return verdicts

    def reread(self) -> list[Verdict]:
        """Read the log again from its beginning."""
        self.core.reread(self.now)
        self.offsets[Topic.LOG] = 0
        return self.deliver()
