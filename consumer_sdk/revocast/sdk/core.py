"""The guard's decisions, sans I/O: records and time go in, verdicts and claims come out.

* `receive` and `caught_up` are fed by whoever reads the topics: Kafka's follower, or a test. Records of a topic come in the
  order of their offsets, and again from any earlier offset after `reread`.
* Keys are read to their end before the log; a record that names keys not read yet waits (`wants_keys`) until the keys topic
  was read to an end offset that was asked for after the record came (`ask`, `caught_up`).
* Ready when keys and delegations are at least the newest checkpoint's, the log is contiguous to the checkpoint's n and to an
  end offset that was asked after the start, and the ages are within bounds (freshness.py).
* It may `begin` from a table that is whole at some record, a snapshot's or a local copy's, and goes on with the record after it. A
  snapshot is believed by the rules of snapshot_rules.py; one that is refused changes nothing.
* A new epoch's rows are built aside; the old table is enforced until the closing record, then they swap at once.
* One thread feeds; any thread calls `verify`, which neither waits nor changes what the core has decided.
* `afresh` makes an empty core beside this one, to be fed from the beginning; it may take over (`take_over`) once it is ready and
  has read at least as far. Nothing older than what either has seen is accepted.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

from revocast.schemas.chain import MAX_CLOCK_LEAD, Chain, Flaw
from revocast.schemas.errors import SchemaError
from revocast.schemas.jose import PublicKey
from revocast.schemas.record import Position, Record
from revocast.schemas.snapshot import Manifest
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict
from revocast.sdk.claims import Claims
from revocast.sdk.denylist import DenyList
from revocast.sdk.errors import InsufficientScope, UnknownKey
from revocast.sdk.foreign_issuers import foreign_issuers
from revocast.sdk.freshness import Freshness, Limits, State, Topic, Transition
from revocast.sdk.health import Health, health_of
from revocast.sdk.instant import Instant
from revocast.sdk.keyring import Keyring
from revocast.sdk.packed import PackedBase
from revocast.sdk.policy import Policy, check_policy
from revocast.sdk.profile import Profile
from revocast.sdk.readiness import Floor, Readiness
from revocast.sdk.recovery import Cure
from revocast.sdk.signatures import CRYPTOGRAPHY, SignatureBackend
from revocast.sdk.snapshot_rules import usable_manifest
from revocast.sdk.tally import Tally
from revocast.sdk.verifier import Verifier

__all__ = ["Asked", "GuardCore", "Received", "check_scopes"]


NO_FLOOR: Final = Floor()


class Received(NamedTuple):
    """One Kafka record, as far as the guard looks at it: keys, headers and timestamps prove nothing."""

    offset: int
    value: bytes | None


class Asked(NamedTuple):
    """A question for end offsets: when it was asked, and how much waited for keys then, records after how many re-reads."""

    at: Instant
    held: int
    checkpoints: int
    rereads: int


class GuardCore:
    """One deployment's state at one service.

    `issuer` is the deployment's issuer URL and `root` its pinned root's thumbprint. `floor` is what an earlier run has
    seen: nothing older is accepted. `cache_size` counts remembered tokens.
    """

    def __init__(
        self,
        *,
        issuer: str,
        root: str,
        profile: Profile,
        limits: Limits | None = None,
        policy: Policy = "deny",
        floor: Floor = NO_FLOOR,
        cache_size: int = 8192,
        signatures: SignatureBackend = CRYPTOGRAPHY,
    ) -> None:
        self.policy = policy
        self.trust = Trust(issuer, root, floor.key_set)
        self.chain = Chain(self.trust)
        self.freshness = Freshness(limits or Limits())
        self.verifier = Verifier(profile, cache_size, signatures)
        self.applied_offset: int | None = None
        """The offset of the last record of the log that was applied: where to read on after a loss."""
        self._readiness = Readiness(self.trust, self.chain, self.freshness, floor)
        self._table_position: Position | None = None
        self._building: DenyList | None = None
        self._building_epoch = 0
        self._foreign: Mapping[str, Mapping[str, PublicKey]] = {}
        self._rereads = 0
        self._tally = Tally()
        self._floor = floor
        self._cache_size = cache_size
        self._watchers: list[Callable[[Transition], None]] = []

    # --- what is fed in

    def receive(self, topic: Topic, records: Iterable[Received], now: Instant) -> list[Verdict]:
        """Judge records of one topic, in their order."""
        verdicts: list[Verdict] = []
        for record in records:
            verdicts += self._receive(topic, record, now)
        self._evaluate(now)
        return verdicts

    def ask(self, now: Instant) -> Asked:
        """The caller is about to ask the broker for end offsets. One question at a time."""
        return Asked(now, self.chain.held_for_keys, self.chain.checkpoints_held, self._rereads)

    def caught_up(self, topic: Topic, asked: Asked, now: Instant) -> list[Verdict]:
        """Everything of the topic up to the end offset that was asked for has been fed."""
        verdicts: list[Verdict] = []
        if topic is Topic.KEYS:
            held = asked.held if asked.rereads == self._rereads else 0
            verdicts += self._judged(topic, self.trust.settle(), now)
            verdicts += self._judged(Topic.LOG, self.chain.settle(now.monotonic, held), now)
            settled = self.chain.settle_checkpoints(now.wall, asked.checkpoints)
            verdicts += self._judged(Topic.CHECKPOINTS, settled, now)
        self.freshness.saw_end(topic, asked.at)
        self._evaluate(now)
        return verdicts

    def judge_snapshot(self, value: bytes | None) -> Manifest:
        """The manifest in a record of the snapshots topic. Raises `SchemaError`, and counts it, when it is not to be used."""
        try:
            return usable_manifest(value, self.chain)
        except SchemaError as error:
            self.refuse_snapshot(str(error))
            raise

    def refuse_snapshot(self, reason: str) -> None:
        """A snapshot, or the local copy, was found to be unusable: count it."""
        self._tally.refuse_snapshot(reason)

    def begin(self, base: PackedBase, position: Position, offset: int, now: Instant) -> list[Verdict]:
        """Go on from `base`, which is the whole table at `position`. `offset` is where its record stands, or stood, on the log.

        Raises `SchemaError`, and changes nothing, unless the place lies ahead and in the epoch in force.
        """
        released = self.chain.begin_at(position, now.monotonic)
        verifier = self.verifier
        # Before the rows, as with a record.
        verifier.newest_t = max(verifier.newest_t, position.t)
        verifier.denylist = self._building = DenyList(base, position.n, position.t)
        verifier.terms_changed()
        self._building_epoch = position.epoch
        self._table_position = position
        self.applied_offset = offset
        self._readiness.begin_at(position)
        verdicts = self._judged(Topic.LOG, released, now)
        self._evaluate(now)
        return verdicts

    def adopt(self, base: PackedBase, position: Position) -> bool:
        """Hold the same rows as before on another base: the table at `position`, of a merge or from another process.

        False, and nothing changes, where it does not fit: of another epoch, ahead of what was applied, or older than the base.
        """
        denylist, here = self.verifier.denylist, self._table_position
        if here is None or position.epoch != here.epoch or not denylist.base_n <= position.n <= here.n:
            return False
        denylist.adopt(base, position.n, position.t)
        return True

    def handle_timer(self, now: Instant) -> None:
        """Let time pass. Call it every second or so."""
        self.chain.handle_timer(now.monotonic)
        self._evaluate(now)

    def reread(self, now: Instant) -> None:
        """The log is about to be fed again from an earlier offset."""
        self.chain.reread()
        self._rereads += 1
        self._readiness.reread(now)
        self._evaluate(now)

    def take_foreign(self, keys: Mapping[str, Mapping[str, PublicKey]]) -> None:
        """The keys of foreign issuers, by issuer and kid: what tokens of theirs verify under, unless the signed key set lists the issuer."""
        self._foreign = keys
        self._take_keys()

    def close(self, now: Instant) -> None:
        """Judge no token any more."""
        self._announce(self.freshness.close(now))

    # --- what the feeder should do

    @property
    def wants_keys(self) -> bool:
        """Whether records wait for keys: ask for the end of the keys topic now."""
        return self.chain.held_for_keys + self.chain.checkpoints_held > 0 or self.trust.waiting

    @property
    def lacks_beginning(self) -> bool:
        """Whether the log was found to begin behind the first record: only a snapshot helps."""
        return self.chain.missing is not None and Flaw.START in self.chain.flaws

    def cure(self, now: Instant) -> Cure:
        """What may help against what is missing."""
        return self._readiness.cure(now)

    # --- reading anew

    @property
    def floor(self) -> Floor:
        """The newest key versions that this core, or an earlier run, has seen."""
        listed, key_set = self.trust.delegations, self.trust.key_set
        return Floor(
            max(self._floor.delegations, listed.version if listed else 0),
            max(self._floor.key_set, key_set.order if key_set else (0, 0)),
        )

    @property
    def roots(self) -> tuple[str, ...]:
        """Thumbprints of the roots from the pinned one to the newest that it handed over to."""
        listed = self.trust.delegations
        if listed is None:
            return (self.trust.root,)
        return listed.roots.chain(self.trust.root, self.trust.issuer).thumbprints

    def afresh(self) -> "GuardCore":
        """An empty core for the same service, below whose floor lies nothing that this one has seen."""
        fresh = GuardCore(
            issuer=self.trust.issuer,
            root=self.roots[-1],
            profile=self.verifier.profile,
            limits=self.freshness.limits,
            policy=self.policy,
            floor=self.floor,
            cache_size=self._cache_size,
            signatures=self.verifier.signatures,
        )
        # A frozen topic grows no younger, and an expired token no younger either, by being read again.
        fresh.freshness.follow(self.freshness)
        fresh.verifier.newest_t = self.verifier.newest_t
        return fresh

    def may_take_over(self, old: "GuardCore", now: Instant) -> bool:
        """Whether it is current, and behind in nothing that `old` has read."""
        ahead = (mine >= theirs for mine, theirs in zip(self._read_up_to, old._read_up_to, strict=True))
        return self.freshness.holds(now) and all(ahead)

    def take_over(self, old: "GuardCore", now: Instant) -> None:
        """Go on in the place of `old`: with its watchers and its counts, but none of the tokens that it remembers."""
        self._watchers = old._watchers
        self._tally.follow(old._tally)
        if old.state is not self.state:
            reason = f"{self.freshness.reason}: everything was read anew"
            self._announce(Transition(old.state, self.state, reason, now))

    # --- what is asked

    def recall(self, token: str, wall: float, monotonic: float) -> Claims | None:
        """The claims of a token that was accepted before, if nothing has changed since that could refuse it; None: `verify` has to judge.

        `wall` and `monotonic` are the two clocks.
        """
        freshness = self.freshness
        if wall <= freshness.wall_until and monotonic <= freshness.monotonic_until:
            return self.verifier.recall(token, wall)
        return None

    def verify(
        self, token: str, now: Instant, scopes: Collection[str] = (), policy: Policy | None = None
    ) -> Claims:
        """The claims of a token that is acceptable now and grants all `scopes`. `policy` stands in for the core's own.

        Raises a `TokenError` when it is not, and a `GuardUnavailable` when nobody can know and the policy is not to allow.
        """
        if not self.freshness.holds(now):
            check_policy(policy or self.policy, self.freshness)
        claims = self.verifier.verify(token, now.wall)
        check_scopes(claims, scopes)
        return claims

    def known(self, token: str, now: Instant) -> Claims | None:
        """The claims of a token about which the issuer is to be asked, because this core is not current; None: of an unknown key.

        Raises the `TokenError` of one that is refused whatever the issuer says: revocations that were read stay in force.
        """
        try:
            # Until everything was read, the table and its times are those of some past moment; the signature is not.
            if self.state is State.STARTING:
                return self.verifier.authenticate(token)
            return self.verifier.verify(token, now.wall)
        except UnknownKey:
            return None

    @property
    def counters(self) -> Counter[str]:
        """Counts of records by `<topic>.<outcome>`."""
        return self._tally.counters

    @property
    def state(self) -> State:
        """The state of the last evaluation."""
        return self.freshness.state

    def table(self) -> tuple[Position | None, bytes]:
        """The position of the enforced table and its canonical bytes. Call it from the thread that feeds."""
        return self._table_position, self.verifier.denylist.pack()

    def signs_for(self, issuer: str) -> bool:
        """Whether the signed key set lists this token issuer: then its keys come from nowhere else."""
        return self.trust.key_set is not None and self.trust.key_set.of(issuer) is not None

    @property
    def whole_at(self) -> tuple[Position, int] | None:
        """Where the enforced table stands and the offset of that record; None: nothing was read, or a new epoch is being read."""
        if self._table_position is None or self.verifier.denylist is not self._building:
            return None
        assert self.applied_offset is not None
        return self._table_position, self.applied_offset

    def missing(self) -> str:
        """Why it is not ready, and what was rejected on the way, in plain words."""
        return "; ".join([self.freshness.reason, *self._tally.rejections()])

    def watch(self, watcher: Callable[[Transition], None]) -> None:
        """Call `watcher` at every change of state, from the thread that feeds."""
        self._watchers.append(watcher)

    def health(self, now: Instant) -> Health:
        """A snapshot for people and probes."""
        return health_of(self.trust, self.chain, self.freshness, self.verifier, self.counters, now)

    # --- inside

    @property
    def _read_up_to(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int]]:
        position, checkpoint = self.chain.position, self.chain.checkpoint
        place = (position.epoch, position.n) if position else (0, 0)
        return (place, self.trust.versions, checkpoint.order if checkpoint else (0, 0, 0))

    def _receive(self, topic: Topic, record: Received, now: Instant) -> list[Verdict]:
        offset, value = record
        if topic is Topic.KEYS:
            verdicts = self.trust.receive(value, offset)
        elif topic is Topic.LOG:
            verdicts = self.chain.receive(value, now.monotonic, offset)
        else:
            verdicts = [self.chain.receive_checkpoint(value, now.wall, offset)]
        return self._judged(topic, verdicts, now)

    def _judged(self, topic: Topic, verdicts: list[Verdict], now: Instant) -> list[Verdict]:
        """Act on verdicts, and count them."""
        for verdict in verdicts:
            if verdict.outcome is Outcome.APPLIED:
                self._apply(topic, verdict, now)
        self._tally.add(topic, verdicts)
        return verdicts

    def _apply(self, topic: Topic, verdict: Verdict, now: Instant) -> None:
        if topic is Topic.KEYS:
            self._take_keys()
        elif topic is Topic.CHECKPOINTS:
            self._take_checkpoint(now)
        elif verdict.record is not None:
            self._take_record(verdict.record, verdict.record_hash, now)
            self.applied_offset = verdict.offset

    def _take_keys(self) -> None:
        key_set, delegations = self.trust.key_set, self.trust.delegations
        if delegations is not None:
            self.freshness.saw_list(delegations.expires_at)
        if key_set is not None and delegations is not None:
            foreign = foreign_issuers(self._foreign, self.trust)
            self.verifier.keyring = Keyring.of(
                key_set, delegations, self.verifier.profile.issuers, foreign, self.verifier.signatures
            )
            self.verifier.terms_changed()

    def _take_checkpoint(self, now: Instant) -> None:
        checkpoint = self.chain.checkpoint
        if checkpoint is not None:
            self.freshness.saw_authority(checkpoint.t, now)
            self.verifier.newest_t = max(self.verifier.newest_t, checkpoint.t)

    def _take_record(self, record: Record, record_hash: bytes, now: Instant) -> None:
        verifier = self.verifier
        # Before the rows: by the time that drops a row, the token that it refused must have expired.
        verifier.newest_t = max(verifier.newest_t, record.t)
        if self._building is None or record.epoch != self._building_epoch:
            self._building, self._building_epoch = DenyList(), record.epoch
        self._building.apply(record.rows, record.t, record.n)
        if verifier.denylist is self._building:
            if record.rows:
                verifier.rows_changed()
        elif record.closes_live_set:
            verifier.denylist = self._building
            if verifier.newest_t > now.wall + MAX_CLOCK_LEAD:
                # What a compromised key claimed the time to be ends with its table.
                verifier.newest_t = record.t
            verifier.terms_changed()
        else:
            return
        self._table_position = Position(record.epoch, record.n, record_hash, record.t)

    def _evaluate(self, now: Instant) -> None:
        self._readiness.update(now)
        self._announce(self.freshness.evaluate(self._readiness.flaws(now), now))

    def _announce(self, transition: Transition | None) -> None:
        if transition is not None:
            for watcher in self._watchers:
                watcher(transition)


def check_scopes(claims: Claims, scopes: Collection[str]) -> None:
    """Raise `InsufficientScope` unless the token grants all of them."""
    if scopes and not claims.scopes.issuperset(scopes):
        raise InsufficientScope(tuple(scopes))
