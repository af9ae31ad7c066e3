"""S08, S09, S17: what is no event, what is one of a later version, and what came before its key."""

import json
from typing import Any, ClassVar

import pytest

from revocast.schemas import strict_json
from revocast.schemas.chain import Flaw
from revocast.schemas.events import MAX_EVENT_BYTES, EventBody
from revocast.schemas.jose import PrivateKey, b64u
from revocast.schemas.verdict import Outcome
from revocast.sdk.freshness import State, Topic
from revocast.testing import Authority, Delivery, core_for
from tests.attacks.forging import claims_of, compact, signed
from tests.attacks.readers import Readers

HEADER = {"alg": "EdDSA", "kid": "a stranger's", "typ": "secevent+jwt"}
FULL = MAX_EVENT_BYTES * 3 // 4 - 1000
"""Bytes of payload that just fit an event."""


def in_an_envelope(payload: bytes) -> bytes:
    return compact(HEADER, payload, bytes(64))


POISON = {
    "empty": b"",
    "zeros": b"\x00" * 1000,
    "not UTF-8": b"\xff\xfe\xfd",
    "JSON": b'{"events": {}}',
    "dots": b"." * 100_000,
    "two segments": b"a.b",
    "four segments": b"a.b.c.d",
    "padding": b"e30=.e30=.e30=",
    "header is no object": f"{b64u(b'[]')}.e30.e30".encode(),
    "header names nothing": b"e30.e30.e30",
    "header stands twice": b64u(b'{"typ":"secevent+jwt","typ":"x"}').encode() + b".e30.e30",
    "critical parameter": compact({**HEADER, "crit": ["exp"]}, b"{}", b""),
    "kid is a number": compact({**HEADER, "kid": 5}, b"{}", b""),
    "kid is a megabyte": compact({**HEADER, "kid": "k" * 300_000}, b"{}", b""),
    "10 MB": b"x" * 10_000_000,
    "10 MB of an event": in_an_envelope(b"x" * 7_000_000),
}
SLOW = {
    "brackets": b"[" + b"[]," * (FULL // 3) + b"[]]",
    "deep": b"[" * (FULL // 2),
    "strings": b'["' + b'","' * (FULL // 3) + b'"]',
    "members": b"{" + b",".join(b'"%x":1' % i for i in range(FULL // 10)) + b"}",
    "numbers": b"[" + b"1," * (FULL // 2) + b"1]",
    "a number": b"[1." + b"1" * FULL + b"]",
    "escapes": b'["' + rb"\u0041" * (FULL // 6) + b'"]',
    "a list of a stranger": json.dumps(
        {
            "iss": "https://issuer.test",
            "aud": "keys",
            "iat": 1,
            "jti": "delegations/9",
            "events": {
                "urn:revocast:event:delegations:1": {"roots": {"first": {}, "handovers": ["x"] * 250}}
            },
        }
    ).encode(),
}


@pytest.mark.parametrize("topic", list(Topic))
@pytest.mark.parametrize("poison", POISON)
def test_s08_poison_stops_no_reader(readers: Readers, topic: Topic, poison: str) -> None:
    before = readers.rejections(topic)
    with readers.untouched():
        assert [v.outcome for v in readers.attack(topic, POISON[poison])] == [Outcome.REJECTED]
    assert readers.rejections(topic) == [count + 1 for count in before]


@pytest.mark.parametrize("topic", list(Topic))
@pytest.mark.parametrize("poison", SLOW)
def test_s08_what_is_slow_to_parse_costs_a_reader_no_more_than_its_signature(
    readers: Readers, topic: Topic, poison: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    decoder = strict_json._DECODER

    class Counting:
        def raw_decode(self, text: str) -> Any:
            parsed.append(len(text))
            return decoder.raw_decode(text)

    monkeypatch.setattr(strict_json, "_DECODER", Counting())
    with readers.untouched():
        readers.attack(topic, in_an_envelope(SLOW[poison]))
    # Only who holds a key makes a reader parse half a megabyte.
    assert max(parsed) <= 128 * 1024


def test_s08_a_flood_of_records_that_wait_for_keys_stays_bounded(readers: Readers) -> None:
    issuer, stranger = readers.authority, PrivateKey.generate()
    record, _ = issuer.sign_next()
    small, large = issuer.sign(record, stranger), in_an_envelope(b"x" * 300_000)
    core = readers.guard.core
    with readers.untouched():
        for topic in Topic:
            for value in [small] * 1500 + [large] * 60:
                readers.logs[topic].append(b"", value)
            readers.guard.delivery.feed(topic)
        held = [*core.chain._unknown, *core.chain._early, *core.trust._waiting]
        assert sum(len(value) for value, _ in held) < 20_000_000
        assert len(held) < 2_500
    assert core.chain.held_for_keys == core.chain.checkpoints_held == 0


class Later(EventBody):
    """An event type that a later version may know."""

    TYPE: ClassVar[str] = "urn:revocast:event:later:1"
    TOPIC: ClassVar[str] = "revocations"

    @property
    def jti(self) -> str:
        return "later"


class LaterKeys(Later):
    """The same for the keys topic."""

    TOPIC: ClassVar[str] = "keys"


class LaterCheckpoint(Later):
    """The same for the checkpoints."""

    TOPIC: ClassVar[str] = "checkpoints"


LATER: dict[Topic, type[Later]] = {
    Topic.LOG: Later,
    Topic.KEYS: LaterKeys,
    Topic.CHECKPOINTS: LaterCheckpoint,
}


def unknown_type(issuer: Authority, topic: Topic) -> dict[str, object]:
    return claims_of(issuer.sign(LATER[topic](t=issuer.now)))


def major_version(issuer: Authority, topic: Topic) -> dict[str, object]:
    value = readers_log(issuer, topic)
    claims = claims_of(value)
    ((name, body),) = claims["events"].items()
    return {**claims, "events": {name.removesuffix(":1") + ":2": body}}


def unknown_member(issuer: Authority, topic: Topic) -> dict[str, object]:
    claims = claims_of(readers_log(issuer, topic))
    ((name, body),) = claims["events"].items()
    return {**claims, "events": {name: {**body, "more": 1}}}


def readers_log(issuer: Authority, topic: Topic) -> bytes:
    if topic is Topic.LOG:
        return issuer.sign_next()[1]
    message = (issuer.keys if topic is Topic.KEYS else issuer.checkpoints).messages[-1]
    assert message.value is not None
    return message.value


@pytest.mark.parametrize("topic", [Topic.LOG, Topic.KEYS])
@pytest.mark.parametrize("kind", [unknown_type, major_version, unknown_member])
def test_s09_a_signed_event_that_is_not_understood_is_never_skipped(
    readers: Readers, topic: Topic, kind: object
) -> None:
    issuer = readers.authority
    assert callable(kind)
    value = signed(kind(issuer, topic), issuer.event_key)
    before = readers.guard.state["table"]
    assert [v.outcome for v in readers.attack(topic, value)] == [Outcome.UPGRADE]
    for reader in (readers, readers.restarted(current=False)):
        assert reader.guard.core.state is not State.READY
        assert "upgrade" in reader.guard.core.freshness.reason
        assert reader.guard.state["table"] == before
    if topic is Topic.LOG:
        assert Flaw.UPGRADE in readers.streams.follower.chain.flaws


@pytest.mark.parametrize("topic", [Topic.LOG, Topic.KEYS])
def test_s09_an_event_that_says_ignorable_is_ignored(readers: Readers, topic: Topic) -> None:
    issuer = readers.authority
    value = signed({**unknown_type(issuer, topic), "ignorable": True}, issuer.event_key)
    with readers.untouched():
        assert [v.outcome for v in readers.attack(topic, value)] == [Outcome.IGNORED]


@pytest.mark.parametrize("topic", list(Topic))
def test_s09_a_stranger_asks_nobody_to_upgrade_and_hides_behind_no_ignorable(
    readers: Readers, topic: Topic
) -> None:
    issuer, stranger = readers.authority, PrivateKey.generate(kid=readers.authority.event_key.kid)
    for more in ({}, {"ignorable": True}):
        value = signed({**unknown_type(issuer, topic), **more}, stranger)
        with readers.untouched():
            assert [v.outcome for v in readers.attack(topic, value)] == [Outcome.REJECTED]


def early(issuer: Authority, topic: Topic) -> tuple[bytes | None, list[bytes | None]]:
    """An event of a new event key, and the documents that introduce the key, not published yet."""
    before = len(issuer.keys)
    issuer.rotate_event_key()
    late = [issuer.keys.drop(before) for _ in range(2)]
    if topic is Topic.KEYS:
        issuer.publish_key_set()
        return issuer.keys.drop(-1).value, [message.value for message in late]
    if topic is Topic.CHECKPOINTS:
        issuer.now += 1
        issuer.checkpoint()
        return issuer.checkpoints.drop(-1).value, [message.value for message in late]
    issuer.block(issuer.subject("carol"))
    return issuer.log.drop(-1).value, [message.value for message in late]


@pytest.mark.parametrize("topic", list(Topic))
def test_s17_what_came_before_its_key_is_held_and_taken_when_the_key_is_there(
    readers: Readers, topic: Topic
) -> None:
    issuer = readers.authority
    before = readers.rejections(topic)
    value, late = early(issuer, topic)
    message = readers.logs[topic].append(b"", value)
    core, delivery = readers.guard.core, readers.guard.delivery
    assert [v.outcome for v in delivery.feed(topic)] == [Outcome.HELD]
    assert core.wants_keys
    for document in late:
        issuer.keys.append(b"", document)
    outcomes = {(v.offset, v.outcome) for v in [*delivery.deliver(), *readers.streams.deliver()]}
    assert (message.offset, Outcome.APPLIED) in outcomes
    assert not core.wants_keys
    readers.go_on()
    assert readers.rejections(topic) == before


@pytest.mark.parametrize("topic", list(Topic))
def test_s17_whose_key_does_not_come_is_rejected_once_the_keys_were_read_to_their_end(
    readers: Readers, topic: Topic
) -> None:
    issuer = readers.authority
    before = readers.rejections(topic)
    value, _ = early(issuer, topic)
    verdicts = readers.attack(topic, value)
    assert [verdict.outcome for verdict in verdicts] == [Outcome.REJECTED]
    assert readers.rejections(topic) == [count + 1 for count in before]
    assert not readers.guard.core.wants_keys


def test_s17_order_across_topics_never_makes_a_gap(issuer: Authority) -> None:
    core = core_for(issuer)
    delivery = Delivery(issuer, core)
    delivery.deliver()
    for _ in range(5):
        issuer.rotate_event_key()
        issuer.block(issuer.subject("x"))
        issuer.advance(1)
        delivery.feed(Topic.CHECKPOINTS)
        delivery.feed(Topic.LOG)
        core.handle_timer(delivery.now)
        delivery.deliver()
        assert core.chain.flaws == ()
        assert core.state is State.READY
    assert core.table() == (issuer.position, issuer.table.pack())


def test_s17_an_answer_to_an_earlier_question_ends_no_wait(readers: Readers) -> None:
    core, delivery = readers.guard.core, readers.guard.delivery
    asked = core.ask(delivery.now)
    for topic in Topic:
        value = signed(claims_of(readers.logs[topic].messages[-1].value or b""), PrivateKey.generate())
        readers.logs[topic].append(b"", value)
    delivery.feed(Topic.LOG)
    delivery.feed(Topic.CHECKPOINTS)
    core.caught_up(Topic.KEYS, asked, delivery.now)
    assert core.chain.held_for_keys == core.chain.checkpoints_held == 1
    core.caught_up(Topic.KEYS, core.ask(delivery.now), delivery.now)
    assert core.chain.held_for_keys == core.chain.checkpoints_held == 0
