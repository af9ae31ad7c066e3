"""Whom a reader believes: the state that `revocast.keys` builds up.

* The pinned root (an RFC 7638 thumbprint) is the only thing believed from outside. A list is accepted when its chain of
  roots holds the pin, every hand-over after it verifies, and the last root signed it.
* Delegation lists never go back: not in version, not in epoch, not in roots. A second list of a known version is refused.
* A key set is accepted when a delegated, not retired event key signed it and it follows the one before (`check_follows`).
  It is ordered by (delegations, version).
* A key set whose signer is no longer listed, because it was compromised, counts as version 0: the next one need not
  follow it, for whoever stole the key may have written it.
* A kid that any signed key set named revoked is never a key again, though it has left the list since; unless the one who
  said so was compromised. What nobody understood (`misread`) asks for an upgrade until its signer is compromised, too.
* A key set whose signer or delegation version is unknown waits for the list; `settle` ends the wait when the topic was
  read to an end offset asked afterwards.
* `floor` is what an earlier run has seen: older versions are refused after a restart, too.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from revocast.schemas.delegations import MAX_LIST_BYTES, DelegationList, Role, Roots
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope, Event
from revocast.schemas.jose import PublicKey
from revocast.schemas.keyset import KeySet, KeyState
from revocast.schemas.verdict import Outcome, Verdict

__all__ = ["Trust"]

_MAX_WAITING: Final = 256
_MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
_NOTHING: Final = (0, 0)


class Trust:
    """Reader of `revocast.keys`. `issuer` is the deployment's issuer URL, `root` the pinned root's thumbprint.

    `floor` is (delegations, key-set version) of the newest key set that an earlier run accepted.
    """

    def __init__(self, issuer: str, root: str, floor: tuple[int, int] = _NOTHING) -> None:
        self.issuer = issuer
        self.root = root
        self.delegations: DelegationList | None = None
        self.key_set: KeySet | None = None
        self.generation = 0
        """Raised by every accepted change."""
        self._floor = floor
        self._roots: tuple[str, ...] = ()
        self._list_hash = b""
        self._key_set_kid = ""
        self._openers: dict[int, bytes] = {}
        self._revoked: dict[tuple[str, str], str] = {}
        self._misread: set[str] = set()
        self._list_misread = False
        self._waiting: list[tuple[bytes, int]] = []
        self._waiting_bytes = 0

    @property
    def versions(self) -> tuple[int, int]:
        """(delegations, key-set version) that are in force; zeros before anything was read."""
        return (
            self.delegations.version if self.delegations else 0,
            self.key_set.version if self.key_set and not self._disowned else 0,
        )

    @property
    def _disowned(self) -> bool:
        return self.record_key(self._key_set_kid) is None

    @property
    def misread(self) -> bool:
        """Whether an event was not understood that the root signed, or a key that is still listed."""
        return self._list_misread or any(self.record_key(kid) for kid in self._misread)

    @property
    def openers(self) -> Mapping[int, bytes]:
        """By epoch, the hash of the list that opened it."""
        return MappingProxyType(self._openers)

    @property
    def waiting(self) -> bool:
        """Whether something is held for a delegation that has not been read."""
        return bool(self._waiting)

    def receive(self, value: bytes | None, offset: int) -> list[Verdict]:
        """Judge one record of the topic. More than one verdict comes when it releases records that waited."""
        verdict = self._judge(value, offset)
        verdicts = [verdict]
        if verdict.outcome is Outcome.HELD and value is not None:
            self._hold(value, offset)
            while len(self._waiting) > _MAX_WAITING or self._waiting_bytes > _MAX_WAITING_BYTES:
                dropped, oldest = self._waiting.pop(0)
                self._waiting_bytes -= len(dropped)
                verdicts.append(Verdict(Outcome.REJECTED, oldest, "too many records wait for a delegation"))
        if verdict.outcome is Outcome.APPLIED:
            verdicts += self._retry(final=False)
        return verdicts

    def settle(self) -> list[Verdict]:
        """End every wait: the topic was read to an end offset that was asked after the last record arrived."""
        return self._retry(final=True)

    def event_key(self, kid: str) -> PublicKey | None:
        """A key that may sign checkpoints and key sets now: delegated and not retired."""
        delegate = self.delegations.delegate(kid, Role.EVENT) if self.delegations else None
        return delegate.public if delegate and delegate.bound is None else None

    def record_key(self, kid: str) -> PublicKey | None:
        """A key that may have signed records: retired ones too, whose bound `covers_record` then judges."""
        delegate = self.delegations.delegate(kid, Role.EVENT) if self.delegations else None
        return delegate.public if delegate else None

    def covers_record(self, kid: str, epoch: int, n: int) -> bool:
        """Whether the key is good for the record at (epoch, n)."""
        delegate = self.delegations.delegate(kid, Role.EVENT) if self.delegations else None
        return delegate is not None and delegate.covers(epoch, n)

    def snapshot_key(self, kid: str) -> PublicKey | None:
        """A key that may have signed manifests: retired ones too, whose bound `covers_manifest` then judges."""
        delegate = self.delegations.delegate(kid, Role.SNAPSHOT) if self.delegations else None
        return delegate.public if delegate else None

    def covers_manifest(self, kid: str, epoch: int, n: int) -> bool:
        """Whether the key is good for the manifest of the cut at (epoch, n)."""
        delegate = self.delegations.delegate(kid, Role.SNAPSHOT) if self.delegations else None
        return delegate is not None and delegate.covers(epoch, n)

    def was_revoked(self, issuer: str, kid: str) -> bool:
        """Whether a signed key set ever named this kid of a token issuer revoked, and its signer was not compromised."""
        signer = self._revoked.get((issuer, kid))
        return signer is not None and self.record_key(signer) is not None

    def _hold(self, value: bytes, offset: int) -> None:
        self._waiting.append((value, offset))
        self._waiting_bytes += len(value)

    def _retry(self, *, final: bool) -> list[Verdict]:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        verdicts: list[Verdict] = []
        for value, offset in waiting:
            verdict = self._judge(value, offset)
            if verdict.outcome is Outcome.HELD and not final:
                self._hold(value, offset)
            elif verdict.outcome is Outcome.HELD:
                verdicts.append(Verdict(Outcome.REJECTED, offset, verdict.reason))
            else:
                verdicts.append(verdict)
        return verdicts

    def _judge(self, value: bytes | None, offset: int) -> Verdict:
        if value is None:
            return Verdict(Outcome.REJECTED, offset, "a tombstone has no meaning here")
        try:
            envelope = Envelope.parse(value)
            key = self.event_key(envelope.kid)
            if key is None:
                return self._judge_unknown(envelope, offset)
            if not envelope.verified_by(key):
                return Verdict(Outcome.REJECTED, offset, "the signature does not verify")
            event = envelope.event()
            if event.type == DelegationList.TYPE:  # only the root's counts, be it on a list itself
                return self._judge_list(event, envelope, offset)
            return self._judge_signed(event, envelope.kid, offset)
        except SchemaError as error:
            return Verdict(Outcome.REJECTED, offset, str(error))

    def _judge_unknown(self, envelope: Envelope, offset: int) -> Verdict:
        # Not an event key of ours (yet).
        if self.record_key(envelope.kid) is not None:
            return Verdict(Outcome.REJECTED, offset, "signed by a retired event key")
        if len(envelope.payload) <= MAX_LIST_BYTES:
            # A delegation list brings its roots along; so parse before verifying, but believe nothing of it that does
            # not lead back to the pin.
            event = envelope.event()
            if event.type == DelegationList.TYPE:
                return self._judge_list(event, envelope, offset)
        return Verdict(Outcome.HELD, offset, "the signing key is not delegated")

    def _judge_signed(self, event: Event, kid: str, offset: int) -> Verdict:
        if event.issuer != self.issuer:
            return Verdict(Outcome.REJECTED, offset, "iss: is not this deployment's issuer")
        if event.topic != KeySet.TOPIC:
            return Verdict(Outcome.REJECTED, offset, "aud: the event is for another topic")
        if event.type != KeySet.TYPE:
            if event.ignorable:
                return Verdict(Outcome.IGNORED, offset, f"{event.type} is not understood, and ignorable")
            self._misread.add(kid)
            return Verdict(Outcome.UPGRADE, offset, f"{event.type} is not understood")
        try:
            key_set = KeySet.from_event(event)
        except SchemaError as error:
            self._misread.add(kid)
            return Verdict(Outcome.UPGRADE, offset, f"a signed key set is not understood: {error}")
        self._remember_revoked(key_set, kid)
        if key_set.order < self._floor:
            return Verdict(Outcome.REPLAY, offset, "older than an earlier run has seen")
        if key_set.delegations > self.versions[0]:
            return Verdict(Outcome.HELD, offset, "names a delegation list that has not been read")
        if self.key_set is not None and not self._disowned:
            if key_set.order <= self.key_set.order:
                return Verdict(Outcome.REPLAY, offset, "not newer than the key set in force")
            key_set.check_follows(self.key_set)
        self._check_revoked(key_set)
        self.key_set, self._key_set_kid = key_set, kid
        self.generation += 1
        return Verdict(Outcome.APPLIED, offset)

    def _remember_revoked(self, key_set: KeySet, signer: str) -> None:
        # Of old sets, too: after a restart they are below the floor, and read for this alone.
        for keys in key_set.issuers:
            for entry in keys.keys:
                if entry.state is KeyState.REVOKED:
                    self._revoked[keys.issuer, entry.public.kid] = signer

    def _check_revoked(self, key_set: KeySet) -> None:
        for keys in key_set.issuers:
            for entry in keys.keys:
                if entry.state is not KeyState.REVOKED and self.was_revoked(keys.issuer, entry.public.kid):
                    raise SchemaError(f"keys: kid {entry.public.kid!r} was revoked and cannot come back")

    def _judge_list(self, event: Event, envelope: Envelope, offset: int) -> Verdict:
        if event.issuer != self.issuer:
            return Verdict(Outcome.REJECTED, offset, "iss: is not this deployment's issuer")
        if event.topic != DelegationList.TOPIC:
            return Verdict(Outcome.REJECTED, offset, "aud: the event is for another topic")
        # The signature first: what a stranger wrote is read no further than its chain of roots.
        roots, last = Roots.of(event).chain(self.root, self.issuer)
        if envelope.kid != last.kid or not envelope.verified_by(last):
            return Verdict(Outcome.REJECTED, offset, "the list is not signed by its last root")
        try:
            listed = DelegationList.from_event(event)
        except SchemaError as error:
            self._list_misread = True
            return Verdict(Outcome.UPGRADE, offset, f"a signed delegation list is not understood: {error}")
        if self.delegations is not None:
            if listed.version < self.delegations.version or envelope.hash == self._list_hash:
                return Verdict(Outcome.REPLAY, offset, "not newer than the list in force")
            if listed.version == self.delegations.version:
                return Verdict(Outcome.REJECTED, offset, "a second list of the version in force")
            if listed.epoch < self.delegations.epoch or roots[: len(self._roots)] != self._roots:
                return Verdict(Outcome.REJECTED, offset, "goes back in epoch or in roots")
        if listed.version < self._floor[0]:
            return Verdict(Outcome.REPLAY, offset, "older than an earlier run has seen")
        opener = listed.opener_hash(envelope.hash)
        if self._openers.setdefault(listed.epoch, opener) != opener:
            return Verdict(
                Outcome.REJECTED, offset, "opened_by: names another list than the one that opened the epoch"
            )
        self.delegations, self._roots, self._list_hash = listed, roots, envelope.hash
        self.generation += 1
        return Verdict(Outcome.APPLIED, offset)
