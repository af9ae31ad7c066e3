"""The committed JSON Schemas accept what is published and refuse what is not of the contract."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from revocast.dev.schemas.json_schema import json_schemas
from revocast.dev.schemas.vectors import vectors
from revocast.schemas.audit import AuditEvent, AuditType
from revocast.schemas.events import Envelope
from revocast.schemas.jose import parse_json

FOLDER = Path(__file__).parents[2] / "schemas"


def committed(name: str) -> Any:
    return json.loads((FOLDER / "json" / name).read_text(encoding="utf-8"))


def claims(token: str) -> Any:
    return parse_json(Envelope.parse(token.encode()).payload)


LOG = json.loads((FOLDER / "vectors" / "log.json").read_text(encoding="utf-8"))
EVENTS = {
    "record.schema.json": LOG["records"][2]["value"],
    "checkpoint.schema.json": LOG["checkpoint"],
    "key-set.schema.json": LOG["key_set"],
    "delegations.schema.json": LOG["delegations"],
}


@pytest.mark.parametrize("name", json_schemas())
def test_the_committed_schema_is_the_models(name: str) -> None:
    assert committed(name) == json_schemas()[name]


@pytest.mark.parametrize("name", vectors())
def test_the_committed_vectors_are_what_the_code_writes(name: str) -> None:
    assert json.loads((FOLDER / "vectors" / name).read_text(encoding="utf-8")) == vectors()[name]


@pytest.mark.parametrize(("name", "token"), EVENTS.items())
def test_a_published_event_is_valid(name: str, token: str) -> None:
    Draft202012Validator(committed(name)).validate(claims(token))


@pytest.mark.parametrize(("name", "token"), EVENTS.items())
def test_an_unknown_member_is_not_valid(name: str, token: str) -> None:
    document = claims(token)
    next(iter(document["events"].values()))["surprise"] = 1
    assert not Draft202012Validator(committed(name)).is_valid(document)


def test_an_audit_event_is_valid() -> None:
    event = AuditEvent.at(
        1_700_000_000.25,
        AuditType.REVOKED,
        source="https://issuer.example",
        subject="1/7",
        data={"reason": "stolen"},
    )
    document = json.loads(event.to_json())
    Draft202012Validator(committed("audit-event.schema.json")).validate(document)
    assert document["time"] == "2023-11-14T22:13:20.250Z"
