"""JSON Schemas (2020-12) of the claims of every event, and of audit events."""

from typing import Any

from revocast.schemas.audit import AuditEvent
from revocast.schemas.checkpoint import Checkpoint
from revocast.schemas.delegations import DelegationList
from revocast.schemas.events import EventBody
from revocast.schemas.keyset import KeySet
from revocast.schemas.record import Record
from revocast.schemas.snapshot import Countersigned, Manifest

__all__ = ["json_schemas"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, Any]:
    """By file name, the schema."""
    events: dict[str, type[EventBody]] = {
        "record": Record,
        "checkpoint": Checkpoint,
        "key-set": KeySet,
        "delegations": DelegationList,
        "manifest": Manifest,
        "countersigned-manifest": Countersigned,
    }
    schemas = {f"{name}.schema.json": _claims(body) for name, body in events.items()}
    schemas["audit-event.schema.json"] = {
        "$schema": _DIALECT,
        **AuditEvent.model_json_schema(mode="serialization"),
    }
    return schemas


def _claims(body: type[EventBody]) -> dict[str, Any]:
    """The whole claims set of a Security Event Token (RFC 8417) that holds this event; its `t` is the `iat`."""
    event = body.model_json_schema()
    definitions = event.pop("$defs", {})
    seconds = event["properties"].pop("t")
    event["required"] = [name for name in event["required"] if name != "t"]
    schema: dict[str, Any] = {
        "$schema": _DIALECT,
        "title": f"{body.__name__} claims",
        "type": "object",
        "required": ["iss", "aud", "iat", "jti", "events"],
        "properties": {
            "iss": {"type": "string", "description": "the deployment's issuer URL"},
            "aud": {
                "const": body.TOPIC,
                "description": "the topic that the event is for, without the prefix",
            },
            "iat": {**seconds, "title": "t"},
            "jti": {"type": "string"},
            "events": {
                "type": "object",
                "required": [body.TYPE],
                "properties": {body.TYPE: event},
                "additionalProperties": False,
            },
        },
    }
    if definitions:
        schema["$defs"] = definitions
    return schema
