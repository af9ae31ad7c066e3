"""An issuer in memory, for tests: the real signed bytes, no Kafka, no database, time set by hand.

    authority = Authority()
    token = authority.mint(sub="alice")
    authority.block(authority.subject("alice"))

Everything is appended to four in-memory logs (`keys`, `log`, `checkpoints`, `snapshots`), whose messages a test may drop, replay,
reorder, forge, hand to a `GuardCore` or publish to a real Kafka. `table` is what every reader must hold at the end of `log`;
`pin` is the first root's thumbprint.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.chunks import CutChunk, cut_chunks
from revocast.schemas.delegations import Bound
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey, b64u
from revocast.schemas.record import MAX_ROWS, Position, Record
from revocast.schemas.row import NEVER, Row, Slot, pack_rows
from revocast.schemas.selector import Selector, fingerprint, kind_code
from revocast.schemas.snapshot import Chunk, Countersigned, Manifest, chunk_key
from revocast.schemas.table import Table
from revocast.testing.key_authority import KeyAuthority
from revocast.testing.memory_log import InMemoryLog, Message
from revocast.testing.tokens import claims_of, sign_token, signing_input_hash

__all__ = ["Authority", "cut_table"]

_START = 1_800_000_000
_YEAR = 366 * 86400


class Authority(KeyAuthority):
    """Issues tokens, revokes, rotates. Each verb appends one signed event and returns its message.

    `now` is the issuer's clock in seconds and moves only when a test moves it. `leeway` and `max_lifetime` are seconds.
    """

    position: Position

    def __init__(
        self,
        issuer: str = "https://issuer.test",
        *,
        audience: str = "orders",
        claims: tuple[str, ...] = (),
        alg: str = "EdDSA",
        leeway: int = 30,
        max_lifetime: int = 3600,
        now: int = _START,
    ) -> None:
        super().__init__(issuer, claims=claims, leeway=leeway, max_lifetime=max_lifetime, now=now)
        self.audience = audience
        self.log = InMemoryLog()
        self.checkpoints = InMemoryLog()
        self.snapshots = InMemoryLog()
        self.table = Table()
        self._serial = 0
        self._open_epoch(1)
        self.rotate(alg)
        self.append(closes_live_set=True)
        self.checkpoint()

    # --- tokens

    def mint(self, *, key: PrivateKey | None = None, lifetime: int = 300, **claims: Any) -> str:
        """An RFC 9068 access token. `claims` add to or replace the usual ones; a claim given as None is left out."""
        self._serial += 1
        usual = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "alice",
            "client_id": "app",
            "iat": self.now,
            "exp": self.now + lifetime,
            "jti": f"token-{self._serial}",
        }
        members = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return sign_token(members, key or self.active)

    # --- selectors, as this issuer names things

    def token(self, token: str) -> Selector:
        """The selector of one token: its `jti`, or the hash of its signing input."""
        members = claims_of(token)
        if "jti" in members:
            return Selector.token(self.issuer, members["jti"])
        return Selector.token_hash(self.issuer, b64u(signing_input_hash(token)))

    def session(self, sid: str) -> Selector:
        """The selector of a session."""
        return Selector.session(self.issuer, sid)

    def subject(self, sub: str) -> Selector:
        """The selector of a subject."""
        return Selector.subject(self.issuer, sub)

    def client(self, client_id: str) -> Selector:
        """The selector of a client."""
        return Selector.client(self.issuer, client_id)

    # --- revocations

    def cutoff(self, selector: Selector, at: int | None = None, expires_at: int | None = None) -> Message:
        """Refuse what was issued at or before `at` (now)."""
        at = self.now if at is None else at
        until = at + self.max_lifetime + self.leeway if expires_at is None else expires_at
        return self.append([self.cutoff_row(selector, at, until)])

    def block(self, selector: Selector, expires_at: int = NEVER) -> Message:
        """Refuse everything, until `expires_at` or a lift."""
        return self.append([self.block_row(selector, expires_at)])

    def revoke(self, token: str) -> Message:
        """Revoke one token for the rest of its life."""
        return self.block(self.token(token), int(claims_of(token)["exp"]) + self.leeway)

    def lift(self, selector: Selector, slot: Slot = Slot.BLOCK) -> Message:
        """Empty one slot."""
        return self.append([Row.for_lift(*self.name(selector), slot)])

    def name(self, selector: Selector) -> tuple[bytes, int]:
        """The fingerprint and the kind code."""
        return fingerprint(self.salt, selector), kind_code(selector.kind, self.claims)

    def cutoff_row(self, selector: Selector, at: int, expires_at: int) -> Row:
        """The row of a cutoff."""
        return Row.for_cutoff(*self.name(selector), at, expires_at)

    def block_row(self, selector: Selector, expires_at: int = NEVER) -> Row:
        """The row of a block."""
        return Row.for_block(*self.name(selector), expires_at)

    # --- the log

    def append(
        self, rows: Iterable[Row] = (), *, closes_live_set: bool = False, cut: bool = False
    ) -> Message:
        """The next record of the chain, with these rows in this order."""
        record, value = self.sign_next(tuple(rows), closes_live_set=closes_live_set, cut=cut)
        self.position = self.position.after(record, Envelope.parse(value).hash)
        self.table.apply(record.rows, record.t)
        return self.log.append(record.key, value)

    def sign_next(self, rows: tuple[Row, ...] = (), **flags: bool) -> tuple[Record, bytes]:
        """The next record and its bytes, without appending it: the other half of a fork."""
        record = self.position.next_record(
            rows, self.now, delegations=self.delegations, key_set=self.key_set, **flags
        )
        return record, self.sign(record)

    def checkpoint(self) -> Message:
        """Say where the log stands, now."""
        position = self.position
        return self._publish(
            self.checkpoints,
            Checkpoint(
                t=self.now,
                epoch=position.epoch,
                n=position.n,
                hash=position.hash,
                delegations=self.delegations,
                key_set=self.key_set,
            ),
        )

    def advance(self, seconds: int) -> None:
        """Let time pass, and checkpoint, as a living issuer does."""
        self.now += seconds
        self.checkpoint()

    def new_epoch(self) -> None:
        """The answer to every disaster: open an epoch under a new event key and re-issue the whole live set."""
        live = sorted(self.table, key=lambda row: row.key)
        self._replace_event_key()
        self._open_epoch(self.position.epoch + 1)
        self.publish_key_set()
        self.table = Table()
        for start in range(0, max(len(live), 1), MAX_ROWS):
            last = start + MAX_ROWS >= len(live)
            self.append(live[start : start + MAX_ROWS], closes_live_set=last)

    # --- snapshots, as streams write and the issuer countersigns them

    def snapshot(self) -> Message:
        """Cut here, and write the snapshot of it; the message is the countersigned manifest."""
        return self.countersign(self.write_snapshot())

    def write_snapshot(self) -> Message:
        """Cut here, write the chunks and the manifest that streams sign; nobody has countersigned it yet."""
        manifest = self.manifest_of(self.append(cut=True), cut_table(self.table))
        return self.snapshots.append(manifest.key, self.sign(manifest, self.snapshot_key))

    def manifest_of(self, cut: Message, chunks: Iterable[CutChunk]) -> Manifest:
        """Write those chunks that the topic does not hold; the manifest that names them all."""
        held = {message.key: message.offset for message in self.snapshots}
        named: list[Chunk] = []
        for chunk in chunks:
            key = chunk_key(chunk.sha256)
            offset = held[key] if key in held else self.snapshots.append(key, chunk.rows).offset
            named.append(
                Chunk(
                    sha256=chunk.sha256, rows=chunk.count, first=chunk.first, last=chunk.last, offset=offset
                )
            )
        position = self.position
        return Manifest(
            t=position.t,
            epoch=position.epoch,
            n=position.n,
            hash=position.hash,
            rows=sum(chunk.rows for chunk in named),
            chunks=tuple(named),
            delegations=self.delegations,
            key_set=self.key_set,
            root=self.root.kid,
            log_offset=cut.offset,
        )

    def countersign(self, message: Message) -> Message:
        """Put the issuer's signature under a manifest, in its place on the topic."""
        assert message.value is not None
        _, epoch, n = message.key.decode().split("/")
        countersigned = Countersigned(t=self.now, epoch=int(epoch), n=int(n), manifest=message.value.decode())
        return self.snapshots.append(message.key, self.sign(countersigned))

    def rotate_snapshot_key(self) -> Message:
        """Delegate to a new snapshot key; the old one stays good for the manifests it has signed."""
        self._replace_snapshot_key(Bound(epoch=self.position.epoch, n=self.position.n))
        return self.publish_delegations()

    # --- event keys

    def rotate_event_key(self) -> Message:
        """Delegate to a new event key; the old one stays good for the records it has signed."""
        self._replace_event_key(Bound(epoch=self.position.epoch, n=self.position.n))
        self.publish_delegations()
        return self.publish_key_set()

    def _open_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        opener = self._publish_delegations(None)
        assert opener.value is not None
        self._opened_by = Envelope.parse(opener.value).hash
        self.position = Position.opening(epoch, self._opened_by)


def cut_table(table: Table) -> Iterator[CutChunk]:
    """The chunks of a table."""
    rows = sorted(table, key=lambda row: row.key)
    grouped = itertools.groupby(rows, key=lambda row: int.from_bytes(row.fingerprint[:2]))
    return cut_chunks((bucket, pack_rows(held)) for bucket, held in grouped)
