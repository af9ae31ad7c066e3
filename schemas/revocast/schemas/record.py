"""The record: one entry of the signed chain on `revocast.revocations`.

* `n` is 1, 2, 3, … within an epoch, without gaps. `prev` is the hash of record n-1; of record 1, the hash of the delegation
  list that opened the epoch.
* `t` (the token's `iat`) is the issuer's clock in seconds, never below the previous record's.
* Up to 1,000 rows, which apply in their order. A record without rows only moves `t`, or closes or cuts.
* An epoch begins with its live set; the record that completes it says `closes_live_set`. Until then readers enforce
  what they had. Epoch 1 has an empty live set, so its record 1 closes it.
* `delegations` and `key_set` are the versions the writer had: a reader with older ones reads `revocast.keys` first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Digest, EventBody
from revocast.schemas.jose import b64u, unb64u
from revocast.schemas.row import ROW_SIZE, Row
from revocast.schemas.rows import Rows

__all__ = ["MAX_ROWS", "Position", "Record"]

MAX_ROWS: Final = 1000


def _rows_of(value: object) -> Rows:
    if isinstance(value, str):
        rows = Rows(unb64u(value))
    elif isinstance(value, Rows):
        rows = value
    elif isinstance(value, list | tuple) and all(isinstance(row, Row) for row in value):
        rows = Rows.of(value)
    else:
        raise SchemaError("must be base64url text")
    if len(rows) > MAX_ROWS:
        raise SchemaError(f"must be at most {MAX_ROWS} rows")
    return rows


RowsField = Annotated[
    Rows,
    PlainValidator(_rows_of),
    PlainSerializer(lambda rows: b64u(rows.packed), return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]*$",
            "maxLength": -(-MAX_ROWS * ROW_SIZE * 4 // 3),
            "description": "packed rows of 20 bytes, base64url",
        }
    ),
]


class Record(EventBody):
    """One numbered entry of the log. `delegations` and `key_set` are version numbers."""

    TYPE: ClassVar[str] = "urn:revocast:event:record:1"
    TOPIC: ClassVar[str] = "revocations"

    epoch: int = Field(ge=1)
    n: int = Field(ge=1)
    prev: Digest
    rows: RowsField
    delegations: int = Field(ge=1)
    key_set: int = Field(ge=1)
    closes_live_set: bool = False
    cut: bool = Field(default=False, description="a snapshot is taken of the state at this n")

    @property
    def jti(self) -> str:
        """`record/<epoch>/<n>`."""
        return f"record/{self.epoch}/{self.n}"

    @property
    def key(self) -> bytes:
        """The Kafka key: n in decimal."""
        return str(self.n).encode()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: after record `n` of `epoch`, whose hash is `hash` and whose time is `t`.

    The writer's head and every reader's position are this same thing.
    """

    epoch: int
    n: int
    hash: bytes
    t: int

    @classmethod
    def opening(cls, epoch: int, delegations_hash: bytes) -> "Position":
        """Before record 1: the hash is that of the delegation list that opened the epoch."""
        return cls(epoch, 0, delegations_hash, 0)

    def next_record(
        self,
        rows: Sequence[Row],
        now: int,
        *,
        delegations: int,
        key_set: int,
        closes_live_set: bool = False,
        cut: bool = False,
    ) -> Record:
        """The record that follows. `now` is the clock, read after the head was locked. Raises `SchemaError`."""
        if len(rows) > MAX_ROWS:
            raise SchemaError(f"rows: a record holds at most {MAX_ROWS}, got {len(rows)}")
        return Record(
            epoch=self.epoch,
            n=self.n + 1,
            prev=self.hash,
            t=max(now, self.t),
            rows=Rows.of(rows),
            delegations=delegations,
            key_set=key_set,
            closes_live_set=closes_live_set,
            cut=cut,
        )

    def after(self, record: Record, record_hash: bytes) -> "Position":
        """The position after `record`, which must be the next one."""
        return Position(record.epoch, record.n, record_hash, record.t)
