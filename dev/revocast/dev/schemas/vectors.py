"""Test vectors: every byte that another implementation must produce, from fixed keys. The private keys in them are public."""

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegating import LIFETIME_DAYS, InForce, first_list
from revocast.schemas.delegations import Bound, Delegate, DelegationList, Role, Roots
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey, b64u
from revocast.schemas.keyset import IssuerKeys, KeyEntry, KeySet, KeyState, Lifetime
from revocast.schemas.record import Position, Record
from revocast.schemas.row import NEVER, Row, Slot, pack_rows
from revocast.schemas.selector import Selector, fingerprint, kind_code
from revocast.schemas.table import Table

__all__ = ["vectors"]

ISSUER = "https://issuer.example"
SALT = bytes(range(32))
CLAIMS = ("tenant", "device_id")
T = 1_700_000_000

SELECTORS = (
    Selector.token(ISSUER, "3b9f0c9e"),
    Selector.token_hash(ISSUER, "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"),
    Selector.session(ISSUER, "s-1"),
    Selector.grant(ISSUER, "g-1"),
    Selector.subject(ISSUER, "alice"),
    Selector.subject(ISSUER, "Zo\u00eb"),
    Selector.subject(ISSUER, "Zoe\u0308"),
    Selector.client(ISSUER, "web"),
    Selector.subject_client(ISSUER, "a|b", "c"),
    Selector.subject_client(ISSUER, "a", "b|c"),
    Selector.key(ISSUER, "k-1"),
    Selector.issuer_wide(ISSUER),
    Selector.claim(ISSUER, "tenant", "acme"),
    Selector.claim(ISSUER, "device_id", "acme"),
)


def vectors() -> dict[str, Any]:
    """By file name, the vectors."""
    return {
        "fingerprint.json": _fingerprints(),
        "row.json": _rows(),
        "table.json": _tables(),
        "log.json": _log(),
        "trust.json": _trust(),
    }


def _row(
    selector: Selector, slot: Slot, cutoff: int = 0, expires_at: int = NEVER, *, lift: bool = False
) -> Row:
    mark, kind = fingerprint(SALT, selector), kind_code(selector.kind, CLAIMS)
    if lift:
        return Row.for_lift(mark, kind, slot)
    return Row(mark, kind, slot, cutoff=cutoff, expires_at=expires_at)


def _fields(row: Row) -> dict[str, Any]:
    return {
        "fingerprint": row.fingerprint.hex(),
        "kind": row.kind,
        "slot": row.slot.name.lower(),
        "lift": row.lift,
        "cutoff": row.cutoff,
        "expires_at": row.expires_at,
    }


def _fingerprints() -> dict[str, Any]:
    return {
        "salt": SALT.hex(),
        "claims": list(CLAIMS),
        "selectors": [
            {
                "issuer": selector.issuer,
                "kind": selector.kind,
                "values": list(selector.values),
                "code": kind_code(selector.kind, CLAIMS),
                "fingerprint": fingerprint(SALT, selector).hex(),
            }
            for selector in SELECTORS
        ],
    }


def _rows() -> dict[str, Any]:
    alice = Selector.subject(ISSUER, "alice")
    rows = (
        _row(alice, Slot.CUTOFF, T, T + 3630),
        _row(alice, Slot.BLOCK),
        _row(alice, Slot.BLOCK, expires_at=T + 60),
        _row(alice, Slot.CUTOFF, lift=True),
        _row(alice, Slot.BLOCK, lift=True),
        _row(Selector.claim(ISSUER, "tenant", "acme"), Slot.BLOCK),
    )
    mark = fingerprint(SALT, alice).hex()
    return {
        "valid": [{**_fields(row), "bytes": row.pack().hex()} for row in rows],
        "invalid": [
            {"why": "19 bytes", "bytes": mark + "44" + "00000000" + "ffffff"},
            {"why": "kind 63 slot block with a cutoff", "bytes": mark + "7f" + "00000001" + "ffffffff"},
            {"why": "kind 9 is not assigned", "bytes": mark + "49" + "00000000" + "ffffffff"},
            {"why": "a lift with an expiry", "bytes": mark + "c4" + "00000000" + "00000001"},
            {"why": "a lift with a cutoff", "bytes": mark + "84" + "00000001" + "00000000"},
            {"why": "a revocation without an expiry", "bytes": mark + "04" + "00000001" + "00000000"},
        ],
    }


def _tables() -> dict[str, Any]:
    alice, web = Selector.subject(ISSUER, "alice"), Selector.client(ISSUER, "web")
    history: tuple[tuple[int, tuple[Row, ...]], ...] = (
        (T, (_row(alice, Slot.BLOCK), _row(web, Slot.CUTOFF, T, T + 100))),
        (T + 1, (_row(alice, Slot.CUTOFF, T + 1, T + 50),)),
        (T + 2, (_row(web, Slot.CUTOFF, T - 5, T + 200),)),
        (T + 3, (_row(alice, Slot.BLOCK, lift=True), _row(alice, Slot.BLOCK, expires_at=T + 10))),
        (T + 10, ()),
        (T + 49, (_row(alice, Slot.CUTOFF, T - 100, T + 60),)),
        (T + 60, (_row(alice, Slot.CUTOFF, T, T + 61),)),
        (T + 200, ()),
    )
    table = Table()
    steps = []
    for t, rows in history:
        table.apply(rows, t)
        steps.append({"t": t, "rows": [row.pack().hex() for row in rows], "table": table.pack().hex()})
    return {"about": "apply each step's rows at t; the table is then exactly these bytes", "steps": steps}


def _key(number: int) -> tuple[PrivateKey, str]:
    seed = bytes([number]) * 32
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(seed), "EdDSA"), seed.hex()


def _log() -> dict[str, Any]:
    (root, root_seed), (event, event_seed), (token, token_seed) = _key(1), _key(2), _key(3)
    delegations = DelegationList(
        t=T,
        version=1,
        epoch=1,
        expires_at=T + 31_536_000,
        keys=(Delegate(jwk=dict(event.public.jwk), role=Role.EVENT),),
        roots=Roots(first=dict(root.public.jwk)),
    )
    key_set = KeySet(
        t=T,
        delegations=1,
        version=1,
        salt=SALT,
        leeway=30,
        claims=CLAIMS,
        issuers=(
            IssuerKeys(
                issuer=ISSUER,
                lifetimes=(Lifetime(since=0, max_lifetime=3600),),
                keys=(KeyEntry(jwk=dict(token.public.jwk), state=KeyState.ACTIVE),),
            ),
        ),
    )
    signed_list = delegations.signed(ISSUER, root)
    position = Position.opening(1, Envelope.parse(signed_list).hash)
    table, records = Table(), []
    alice = Selector.subject(ISSUER, "alice")
    for index, rows in enumerate(
        (
            (),
            (_row(alice, Slot.CUTOFF, T + 1, T + 1 + 3600 + 30),),
            (
                _row(alice, Slot.BLOCK),
                _row(Selector.token(ISSUER, "3b9f0c9e"), Slot.BLOCK, expires_at=T + 90),
            ),
            (_row(alice, Slot.BLOCK, lift=True),),
        )
    ):
        record = position.next_record(rows, T + index, delegations=1, key_set=1, closes_live_set=index == 0)
        value = record.signed(ISSUER, event)
        position = position.after(record, Envelope.parse(value).hash)
        table.apply(rows, record.t)
        records.append(_record(record, value, table))
    checkpoint = Checkpoint(t=T + 5, epoch=1, n=position.n, hash=position.hash, delegations=1, key_set=1)
    return {
        "issuer": ISSUER,
        "ed25519_seeds": {"root": root_seed, "event": event_seed, "token": token_seed},
        "root_thumbprint": root.kid,
        "delegations": signed_list.decode(),
        "key_set": key_set.signed(ISSUER, event).decode(),
        "records": records,
        "checkpoint": checkpoint.signed(ISSUER, event).decode(),
    }


def _trust() -> dict[str, Any]:
    (first, first_seed), (second, second_seed) = _key(1), _key(4)
    event, successor = _key(2)[0], _key(5)[0]
    jwks = [(key.public.jwk, Role.EVENT) for key in (event, successor)]
    lists = [first_list(first.public, jwks[:1], T)]
    signed = [lists[0].signed(ISSUER, first)]
    roots = lists[0].roots.handed_over(first, second.public, ISSUER)
    changes: tuple[Callable[[InForce], DelegationList], ...] = (
        lambda place: place.delegated(jwks[1:], T + 1, LIFETIME_DAYS),
        lambda place: place.retired(event.kid, Bound(epoch=1, n=4), T + 2, LIFETIME_DAYS),
        lambda place: place.distrusting(["k-1"], T + 3, LIFETIME_DAYS, issuer=False),
        lambda place: place.rooted(roots, T + 4, LIFETIME_DAYS),
        lambda place: place.new_epoch(T + 5, LIFETIME_DAYS),
    )
    for change in changes:
        listed = change(InForce.read(signed[-1]))
        signed.append(listed.signed(ISSUER, second if listed.roots.handovers else first))
        lists.append(listed)
    return {
        "about": "given in order to a reader that pinned either root, every list is accepted",
        "issuer": ISSUER,
        "ed25519_seeds": {"first root": first_seed, "second root": second_seed},
        "root_thumbprints": [first.kid, second.kid],
        "lists": [
            {
                "version": listed.version,
                "epoch": listed.epoch,
                "keys": [key.model_dump(mode="json") for key in listed.keys],
                "value": value.decode(),
            }
            for listed, value in zip(lists, signed, strict=True)
        ],
    }


def _record(record: Record, value: bytes, table: Table) -> dict[str, Any]:
    return {
        "n": record.n,
        "t": record.t,
        "prev": b64u(record.prev),
        "rows": pack_rows(record.rows).hex(),
        "value": value.decode(),
        "hash": b64u(Envelope.parse(value).hash),
        "table": table.pack().hex(),
    }
