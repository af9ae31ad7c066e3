"""Somebody can write to Kafka. They lift a block, twice forged and once replayed; nothing changes."""

import json

from revocast.dev.demo import forgery
from revocast.dev.demo.stage import Stage
from revocast.issuer.bootstrap import Home
from revocast.schemas.events import Envelope
from revocast.schemas.jose import PrivateKey
from revocast.schemas.record import Record
from revocast.schemas.row import Row, Slot
from revocast.schemas.rows import Rows
from revocast.schemas.selector import BUILT_IN_KINDS

TITLE = "Forged and replayed records on the log"

_WAIT_S = 20.0


def play(stage: Stage) -> None:
    """A guard, streams and the walk over the whole log must agree on it."""
    report, deployment = stage.report, stage.deployment
    token = stage.sign_in("mallory")
    # A genuine lift to replay, then the block that stands.
    stage.revoke("subject", "mallory", "block")
    lifted = stage.lift("subject", "mallory", "block")
    blocked = stage.revoke("subject", "mallory", "block")
    log = {
        entry["n"]: entry
        for entry in stage.operator.get("/v1/log", "revocast:read", after=0, limit=1000)["items"]
    }
    genuine = log[lifted["n"]]["signed"].encode()
    head = log[blocked["n"]]
    event_kid = Envelope.parse(genuine).kid
    row = Row.for_lift(
        bytes.fromhex(blocked["revocations"][0]["fingerprint"]), BUILT_IN_KINDS["subject"], Slot.BLOCK
    )
    record = Record(
        epoch=head["epoch"],
        n=head["n"] + 1,
        prev=bytes.fromhex(head["hash"]),
        t=head["t"],
        rows=Rows.of([row]),
        delegations=1,
        key_set=1,
    )
    attacker, thief = PrivateKey.generate("EdDSA"), forgery.stolen_token_key(Home(deployment.home))
    forged = [
        forgery.signed_by(attacker, event_kid, record, deployment.issuer_url),
        forgery.signed_by(thief, thief.kid, record, deployment.issuer_url),
    ]
    offsets = forgery.publish(deployment.kafka, deployment.topics.revocations, [*forged, genuine])
    report.line(
        "  written: a lift under the issuer's kid with another key's signature; a lift signed by the token key;"
    )
    report.line("  and the genuine old lift of mallory, once more")

    other = stage.sign_in("frank")
    report.refusals(stage.measure(other, lambda: stage.revoke("subject", "frank", "cutoff")))
    stage.expect(token, 401, "mallory is still blocked, and the revoke that came after the forgeries works")
    with report.waiting("streams judges them"):
        dead = forgery.collect(deployment.kafka, deployment.topics.dead_letters, len(forged), _WAIT_S)
        events = forgery.collect(
            deployment.kafka, deployment.topics.audit, len(forged), _WAIT_S, begins="revocast.record.rejected"
        )
    letters = {letter.value for letter in dead}
    report.expect(letters.issuperset(forged), "both forgeries are dead letters")
    report.expect(len(events) >= len(forged), "and audit events: " + "; ".join(sorted(map(_reason, events))))
    verified = json.loads(deployment.run("log", "verify", "--json"))
    report.command("revocast log verify")
    report.expect(verified["whole"], f"the log is whole: records 1 to {verified['n']}")
    not_believed = {entry["offset"] for entry in verified["not_believed"]}
    report.expect(not_believed.issuperset(offsets[:2]), "and names the forgeries as not to be believed")
    report.current.proof = "nothing changes; dead letters, audit"


def _reason(event: dict[str, object]) -> str:
    data = event.get("data")
    return str(data.get("reason", "")) if isinstance(data, dict) else ""
