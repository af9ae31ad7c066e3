"""What a rehearsed start says, with a clock and a log in memory."""

import pytest

from revocast.cli.doctor.finding import Verdict
from revocast.cli.doctor.standing import judge
from revocast.cli.doctor.start import Rehearsal
from revocast.sdk.freshness import Topic
from revocast.testing import Authority
from revocast.testing.delivery import Delivery, core_for


@pytest.fixture
def delivery() -> Delivery:
    authority = Authority()
    delivery = Delivery(authority, core_for(authority))
    delivery.deliver()
    authority.advance(2)
    delivery.deliver()
    return delivery


def said(delivery: Delivery, seconds: float | None = 0.5) -> dict[str, str]:
    """By check the verdict, and what was said."""
    rehearsal = Rehearsal(delivery.core, seconds, "log", "")
    return {each.check: f"{each.verdict} {each.says}" for each in judge(rehearsal, delivery.now)}


def test_all_is_well(delivery: Delivery) -> None:
    assert {line.split()[0] for line in said(delivery).values()} == {Verdict.OK}


def test_who_was_ready_and_is_not_any_more_would_not_start(delivery: Delivery) -> None:
    authority = delivery.authority
    authority.append()
    authority.log.drop(-1)
    authority.append()
    authority.checkpoint()
    delivery.deliver()
    authority.now += 3
    delivery.core.handle_timer(delivery.now)
    assert said(delivery)["start"].startswith("fail a guard would not become ready, or not stay so")


def test_break_glass_is_said(delivery: Delivery) -> None:
    delivery.authority.distrust(issuer=True)
    delivery.deliver()
    rehearsal = Rehearsal(delivery.core, 0.5, "log", "")
    failures = [each.says for each in judge(rehearsal, delivery.now) if each.verdict is Verdict.FAIL]
    assert failures == ["the root distrusts the whole issuer: every token is refused"]


def test_before_anything_was_read_there_is_no_trust_and_no_checkpoint() -> None:
    authority = Authority()
    found = said(Delivery(authority, core_for(authority)), None)
    assert [found[check].split()[0] for check in ("trust", "checkpoint", "start")] == ["fail"] * 3


@pytest.mark.parametrize(
    ("kafka_ahead", "whose"),
    [(None, "both"), (0.4, "this host's"), (-19.0, "the issuer's"), (60.0, "all")],
)
def test_a_second_witness_says_whose_clock_is_off(
    delivery: Delivery, kafka_ahead: float | None, whose: str
) -> None:
    core, now = delivery.core, delivery.now
    core.freshness._leads.clear()
    core.freshness._leads.append(-20.0)  # this clock is 20 s behind the issuer's
    findings = judge(Rehearsal(core, 0.5, "log", ""), now, kafka_ahead)
    (clock,) = (each for each in findings if each.check == "clock")
    assert clock.verdict is Verdict.WARN
    assert clock.mend.startswith(f"Set {whose} by NTP")


def test_a_checkpoint_from_the_future_says_that_this_clock_is_behind() -> None:
    authority = Authority()
    delivery = Delivery(authority, core_for(authority))
    delivery.feed(Topic.KEYS)
    authority.advance(100)
    authority.now -= 200
    delivery.deliver()
    assert "behind the issuer's" in said(delivery)["clock"]
