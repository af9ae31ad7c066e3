"""What is fuzzed, and what must hold for any input: an error of ours, or a value that is written as it was read.

* Each target takes bytes. Half of what it does with them is behind a signature: the target signs what it was given with the
  right key, because a fuzzer does not get past a signature, and a thief of a key does.
* `seeds` are good inputs, so that the search begins behind the first checks.
* The same targets run in the suite, with Hypothesis (tests/properties/test_parsing.py).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from revocast.schemas.chain import Chain
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegations import DelegationList
from revocast.schemas.errors import SchemaError
from revocast.schemas.events import Envelope, EventBody
from revocast.schemas.jose import PrivateKey, b64u, canonical_json, parse_compact, parse_json
from revocast.schemas.keyset import KeySet
from revocast.schemas.record import Record
from revocast.schemas.row import NEVER, Row, Slot, pack_rows, unpack_rows
from revocast.schemas.table import Table
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome, Verdict
from revocast.sdk.core import GuardCore
from revocast.sdk.errors import RevocastError
from revocast.sdk.instant import Instant
from revocast.testing import Authority, Delivery, core_for

__all__ = ["TARGETS", "Target"]

_LIMIT: Final = 1 << 20
_MANY: Final = 200


@dataclass(frozen=True)
class Target:
    """`check` raises nothing for any input, unless there is a defect. `is_json`: inputs are best mutated as JSON."""

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    is_json: bool = False


@cache
def _issuer() -> Authority:
    authority = Authority(claims=("tenant",))
    authority.block(authority.subject("alice"))
    authority.cutoff(authority.client("app"))
    authority.rotate_root()
    authority.rotate("ES256")
    authority.checkpoint()
    return authority


class _Readers:
    """Trust and chain that have read everything; made anew when an input changed them."""

    def __init__(self) -> None:
        self.issuer = _issuer()
        self.trust = Trust(self.issuer.issuer, self.issuer.pin)
        for message in self.issuer.keys:
            self.trust.receive(message.value, message.offset)
        self.chain = Chain(self.trust)
        for message in self.issuer.log:
            self.chain.receive(message.value, 0.0, message.offset)
        self.uses = 0


_readers: list[_Readers] = []


def _fresh() -> _Readers:
    if not _readers or _readers[0].uses > _MANY:
        _readers[:] = [_Readers()]
    _readers[0].uses += 1
    return _readers[0]


def _judged(verdicts: list[Verdict]) -> list[Verdict]:
    if any(verdict.outcome in (Outcome.APPLIED, Outcome.FORK) for verdict in verdicts):
        _readers.clear()
    return verdicts


# --- rows


def check_rows(data: bytes) -> None:
    """Packed rows, and packed tables."""
    try:
        rows = unpack_rows(data)
    except SchemaError:
        return
    assert pack_rows(rows) == data
    try:
        table = Table.from_packed(data, 1_700_000_000)
    except SchemaError:
        return
    assert table.pack() == data


def row_seeds() -> list[bytes]:
    """Each kind of row, and a table of some."""
    name = bytes(range(11))
    rows = [
        Row.for_block(name, 4, NEVER),
        Row.for_cutoff(name, 4, 1_800_000_000, 1_800_003_600),
        Row.for_lift(name, 32, Slot.BLOCK),
    ]
    return [*(row.pack() for row in rows), pack_rows(sorted(rows[:2], key=lambda row: row.key))]


# --- events


def check_event(data: bytes) -> None:
    """Any bytes as a record of each control topic; and as the payload of an event that our event key signed."""
    readers = _fresh()
    for value in (data, _signed(data, readers.issuer.event_key)):
        readers = _fresh()
        _judged(readers.trust.receive(value, 1))
        _judged(readers.trust.settle())
        for verdict in _judged(readers.chain.receive(value, 0.0, 1)):
            if verdict.record is not None:
                _written_as_read(verdict.record)
        _judged(readers.chain.settle(0.0))
        _judged([readers.chain.receive_checkpoint(value, readers.issuer.now, 1)])
        _judged(readers.chain.settle_checkpoints(readers.issuer.now))


def event_seeds() -> list[bytes]:
    """Every event of a history, whole, and its payload."""
    issuer = _issuer()
    values = [m.value for log in (issuer.keys, issuer.log, issuer.checkpoints) for m in log if m.value]
    values.append(issuer.sign_next()[1])
    return [*values, *(parse_compact(value, _LIMIT).payload for value in values)]


def check_key_set(data: bytes) -> None:
    """JSON as the content of a key set that our event key signed."""
    readers = _fresh()
    _check_document(data, KeySet, readers.issuer.event_key)


def check_delegations(data: bytes) -> None:
    """JSON as the content of a delegation list that our root signed."""
    readers = _fresh()
    _check_document(data, DelegationList, readers.issuer.root)


def check_checkpoint(data: bytes) -> None:
    """JSON as the content of a checkpoint that our event key signed."""
    readers = _fresh()
    value = _document(data, Checkpoint, readers.issuer.event_key)
    if value is not None:
        verdict = readers.chain.receive_checkpoint(value, readers.issuer.now, 1)
        _judged([verdict])
        if verdict.outcome is Outcome.APPLIED:
            assert readers.chain.checkpoint is not None
            _written_as_read(readers.chain.checkpoint)


def check_record(data: bytes) -> None:
    """JSON as the content of a record that our event key signed."""
    readers = _fresh()
    value = _document(data, Record, readers.issuer.event_key)
    if value is not None:
        for verdict in _judged(readers.chain.receive(value, 0.0, 1)):
            if verdict.record is not None:
                _written_as_read(verdict.record)
        _judged(readers.chain.settle(0.0))


def seeds_of(kind: type[EventBody]) -> list[bytes]:
    """The contents of all events of a type."""
    issuer = _issuer()
    values = [m.value for log in (issuer.keys, issuer.log, issuer.checkpoints) for m in log if m.value]
    values.append(issuer.sign_next((issuer.block_row(issuer.subject("bob")),))[1])
    events = [Envelope.parse(value).event() for value in values]
    return [canonical_json({**event.body, "t": event.t}) for event in events if event.type == kind.TYPE]


def _check_document(data: bytes, kind: type[EventBody], key: PrivateKey) -> None:
    value = _document(data, kind, key)
    if value is None:
        return
    readers = _fresh()
    for verdict in _judged(readers.trust.receive(value, 1)):
        if verdict.outcome is Outcome.APPLIED:
            _written_as_read(kind.from_event(Envelope.parse(value).event()))


def _document(data: bytes, kind: type[EventBody], key: PrivateKey) -> bytes | None:
    """The event with this content: what is around it is right, so that only the content is judged."""
    try:
        body = parse_json(data)
    except SchemaError:
        return None
    if not isinstance(body, dict):
        return None
    t = body.pop("t", None)
    jti = {
        KeySet: f"key-set/{body.get('delegations')}/{body.get('version')}",
        DelegationList: f"delegations/{body.get('version')}",
        Record: f"record/{body.get('epoch')}/{body.get('n')}",
        Checkpoint: f"checkpoint/{body.get('epoch')}/{body.get('n')}/{t}",
    }[kind]
    claims = {"iss": _issuer().issuer, "aud": kind.TOPIC, "iat": t, "jti": jti, "events": {kind.TYPE: body}}
    return _signed(json.dumps(claims).encode(), key)


def _signed(payload: bytes, key: PrivateKey, typ: str = "secevent+jwt") -> bytes:
    header = canonical_json({"alg": key.alg, "kid": key.kid, "typ": typ})
    signing_input = f"{b64u(header)}.{b64u(payload)}".encode()
    return signing_input + b"." + b64u(key.sign(signing_input)).encode()


def _written_as_read(body: EventBody) -> None:
    key = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(32)), "EdDSA")
    again = type(body).from_event(Envelope.parse(body.signed("https://issuer.test", key)).event())
    assert again == body


# --- tokens


@cache
def _guard() -> tuple[GuardCore, Instant]:
    core = core_for(_issuer())
    delivery = Delivery(_issuer(), core)
    delivery.deliver()
    return core, delivery.now


def check_token(data: bytes) -> None:
    """Any text as a token; and as the claims, or the header, of one that our token key signed."""
    core, now = _guard()
    key = _issuer().active
    claims = b'{"iss":"https://issuer.test"}'
    head = f"{b64u(data)}.{b64u(claims)}".encode()
    tokens = (
        data,
        _signed(data, key, typ="at+jwt"),
        head + b"." + b64u(key.sign(head)).encode(),
    )
    for token in tokens:
        try:
            found = core.verify(token.decode("latin-1"), now)
        except RevocastError:
            continue
        assert found["iss"] == _issuer().issuer


def token_seeds() -> list[bytes]:
    """Good tokens, their claims and their headers."""
    issuer = _issuer()
    tokens = [
        issuer.mint(sub="bob", client_id="web"),
        issuer.mint(sub="bob", client_id="web", tenant="acme", jti=None),
        issuer.mint(sub="alice", client_id="web", aud=["orders", "others"]),
    ]
    parts: list[bytes] = []
    for token in tokens:
        parsed = parse_compact(token, _LIMIT)
        parts += [token.encode(), parsed.payload, canonical_json(dict(parsed.header))]
    return parts


def _seeds(kind: type[EventBody]) -> Callable[[], list[bytes]]:
    return lambda: seeds_of(kind)


TARGETS: Final[Mapping[str, Target]] = {
    "token": Target(check_token, token_seeds, is_json=True),
    "set": Target(check_event, event_seeds, is_json=True),
    "key-set": Target(check_key_set, _seeds(KeySet), is_json=True),
    "delegations": Target(check_delegations, _seeds(DelegationList), is_json=True),
    "record": Target(check_record, _seeds(Record), is_json=True),
    "checkpoint": Target(check_checkpoint, _seeds(Checkpoint), is_json=True),
    "rows": Target(check_rows, row_seeds),
}
