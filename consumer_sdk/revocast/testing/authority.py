"""An issuer in memory, for tests: the real signed bytes, no Kafka, no database, time set by hand.

    authority = Authority()
    token = authority.mint(sub="alice")
    authority.block(authority.subject("alice"))

Everything is appended to three in-memory logs (`keys`, `log`, `checkpoints`), whose messages a test may drop, replay,
reorder, forge, hand to a `GuardCore` or publish to a real Kafka. `table` is what every reader must hold at the end of `log`;
`pin` is the first root's thumbprint.
"""

from collections.abc import Iterable
from typing import Any

from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegations import Bound
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey, b64u
from revocast.schemas.record import MAX_ROWS, Position, Record
from revocast.schemas.row import NEVER, Row, Slot
from revocast.schemas.selector import Selector, fingerprint, kind_code
from revocast.schemas.table import Table
from revocast.testing.key_authority import KeyAuthority
from revocast.testing.memory_log import InMemoryLog, Message
from revocast.testing.tokens import claims_of, sign_token, signing_input_hash

__all__ = ["Authority"]

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
