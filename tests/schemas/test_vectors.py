"""The committed vectors, read with nothing but the standard library: what another language would have to write."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from revocast.schemas.chain import Chain
from revocast.schemas.errors import MalformedRow
from revocast.schemas.jose import b64u
from revocast.schemas.row import Row, unpack_rows
from revocast.schemas.table import Table, merge_packed
from revocast.schemas.trust import Trust
from revocast.schemas.verdict import Outcome

VECTORS = Path(__file__).parents[2] / "schemas" / "vectors"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", load("fingerprint.json")["selectors"], ids=lambda v: v["kind"])
def test_a_fingerprint_is_eleven_bytes_of_sha256_over_length_prefixed_parts(vector: Any) -> None:
    salt = bytes.fromhex(load("fingerprint.json")["salt"])
    parts = [salt, *(text.encode() for text in (vector["issuer"], vector["kind"], *vector["values"]))]
    preimage = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    assert hashlib.sha256(preimage).hexdigest()[:22] == vector["fingerprint"]


def test_no_two_selectors_share_a_fingerprint() -> None:
    prints = [vector["fingerprint"] for vector in load("fingerprint.json")["selectors"]]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("vector", load("row.json")["valid"], ids=lambda v: v["bytes"][22:])
def test_a_row_is_twenty_bytes_big_endian(vector: Any) -> None:
    flags = vector["lift"] << 7 | (vector["slot"] == "block") << 6 | vector["kind"]
    expected = struct.pack(
        ">11sBII", bytes.fromhex(vector["fingerprint"]), flags, vector["cutoff"], vector["expires_at"]
    )
    assert expected.hex() == vector["bytes"]
    assert Row.unpack(expected).pack() == expected


@pytest.mark.parametrize("vector", load("row.json")["invalid"], ids=lambda v: v["why"])
def test_a_row_with_a_second_spelling_is_refused(vector: Any) -> None:
    with pytest.raises(MalformedRow):
        Row.unpack(bytes.fromhex(vector["bytes"]))


def test_every_step_of_the_table_vector_gives_its_bytes() -> None:
    table, packed = Table(), b""
    for step in load("table.json")["steps"]:
        rows = unpack_rows(bytes.fromhex("".join(step["rows"])))
        table.apply(rows, step["t"])
        packed = merge_packed(packed, rows, step["t"])
        assert table.pack().hex() == packed.hex() == step["table"]


def test_the_log_vector_is_accepted_and_gives_its_tables() -> None:
    log = load("log.json")
    trust = Trust(log["issuer"], log["root_thumbprint"])
    assert [v.outcome for v in trust.receive(log["delegations"].encode(), 0)] == [Outcome.APPLIED]
    assert [v.outcome for v in trust.receive(log["key_set"].encode(), 1)] == [Outcome.APPLIED]
    chain, table = Chain(trust), Table()
    for offset, record in enumerate(log["records"]):
        (verdict,) = chain.receive(record["value"].encode(), 0.0, offset)
        assert verdict.record is not None
        assert b64u(verdict.record_hash) == record["hash"]
        signing_input = record["value"].rpartition(".")[0]
        assert b64u(hashlib.sha256(signing_input.encode()).digest()) == record["hash"]
        table.apply(verdict.record.rows, verdict.record.t)
        assert table.pack().hex() == record["table"]
    now = log["records"][-1]["t"] + 10
    assert chain.receive_checkpoint(log["checkpoint"].encode(), now, 0).outcome is Outcome.APPLIED
    assert chain.flaws == ()


def test_each_prev_is_the_hash_of_the_record_before() -> None:
    log = load("log.json")
    hashes = [b64u(hashlib.sha256(log["delegations"].rpartition(".")[0].encode()).digest())]
    for record in log["records"]:
        assert record["prev"] == hashes[-1]
        hashes.append(record["hash"])


def test_the_lists_of_the_trust_vector_are_followed_from_the_first_root_and_begun_from_the_second() -> None:
    vector = load("trust.json")
    first, second = vector["root_thumbprints"]
    lists = [entry["value"].encode() for entry in vector["lists"]]
    trust = Trust(vector["issuer"], first)
    assert {trust.receive(value, n)[0].outcome for n, value in enumerate(lists)} == {Outcome.APPLIED}
    assert trust.versions[0] == vector["lists"][-1]["version"]
    late = Trust(vector["issuer"], second)
    outcomes = [late.receive(value, n)[0].outcome for n, value in enumerate(lists)]
    assert outcomes == [Outcome.REJECTED] * 4 + [Outcome.APPLIED] * 2
    elsewhere = Trust("https://other.example", first)
    assert {elsewhere.receive(value, n)[0].outcome for n, value in enumerate(lists)} == {Outcome.REJECTED}
