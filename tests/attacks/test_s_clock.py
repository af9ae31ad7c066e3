"""S13: a service's clock that is off by minutes, or steps back."""

import pytest

from revocast.schemas.row import Slot
from revocast.sdk.core import GuardCore, Received
from revocast.sdk.errors import TokenExpired, TokenRevoked
from revocast.sdk.freshness import State, Topic
from revocast.sdk.instant import Instant
from revocast.testing import Authority, core_for

MINUTES = 60
OFFSETS = [-9 * MINUTES, -2 * MINUTES, 0, 2 * MINUTES, 9 * MINUTES]


class Service:
    """A guard whose wall clock is `off` seconds from the issuer's; its monotonic clock runs with the issuer's."""

    def __init__(self, issuer: Authority, off: int) -> None:
        self.issuer, self.off = issuer, off
        self.core: GuardCore = core_for(issuer)
        self.deliver()

    @property
    def now(self) -> Instant:
        return Instant(self.issuer.now + self.off, self.issuer.now)

    def deliver(self) -> None:
        logs = {
            Topic.KEYS: self.issuer.keys,
            Topic.CHECKPOINTS: self.issuer.checkpoints,
            Topic.LOG: self.issuer.log,
        }
        for topic, log in logs.items():
            self.core.receive(topic, [Received(each.offset, each.value) for each in log], self.now)
            self.core.caught_up(topic, self.core.ask(self.now), self.now)


@pytest.mark.parametrize("off", OFFSETS)
def test_s13_a_cutoff_compares_the_issuers_times_alone(issuer: Authority, off: int) -> None:
    service = Service(issuer, off)
    before = issuer.mint(sub="carol", client_id="another", lifetime=3000)
    issuer.cutoff(issuer.subject("carol"))
    issuer.advance(1)
    after = issuer.mint(sub="carol", client_id="another", lifetime=3000)
    service.deliver()
    with pytest.raises(TokenRevoked):
        service.core.verify(before, service.now)
    if off >= 0:
        assert service.core.verify(after, service.now)


@pytest.mark.parametrize("off", OFFSETS)
def test_s13_rows_are_dropped_by_the_logs_time_alone(issuer: Authority, off: int) -> None:
    service = Service(issuer, off)
    issuer.block(issuer.subject("carol"), expires_at=issuer.now + 5 * MINUTES)
    issuer.advance(4 * MINUTES)
    service.deliver()
    assert service.core.table() == (issuer.position, issuer.table.pack())
    issuer.advance(2 * MINUTES)
    issuer.append()
    service.deliver()
    assert service.core.table() == (issuer.position, issuer.table.pack())


@pytest.mark.parametrize("off", [off for off in OFFSETS if off < 0])
def test_s13_a_late_clock_lets_no_token_outlive_its_revocation(issuer: Authority, off: int) -> None:
    service = Service(issuer, off)
    token = issuer.mint(sub="carol", client_id="another", lifetime=60)
    issuer.revoke(token)
    service.deliver()
    issuer.now += 60 + issuer.leeway + 1
    issuer.append()  # drops the row: by the time of the log the token is over
    service.deliver()
    assert issuer.table.get(*issuer.name(issuer.token(token)), Slot.BLOCK) is None
    with pytest.raises(TokenExpired):
        service.core.verify(token, service.now)


def test_s13_a_clock_that_steps_back_revives_nothing(issuer: Authority) -> None:
    service = Service(issuer, 0)
    token = issuer.mint(sub="carol", client_id="another", lifetime=60)
    issuer.advance(60 + issuer.leeway)
    service.deliver()
    with pytest.raises(TokenExpired):
        service.core.verify(token, service.now)
    service.off = -5 * MINUTES
    with pytest.raises(TokenExpired):
        service.core.verify(token, service.now)
    assert service.core.state is State.READY


@pytest.mark.parametrize("off", [-5 * MINUTES, 5 * MINUTES])
def test_s13_a_clock_that_is_off_is_measured_and_said(issuer: Authority, off: int) -> None:
    service = Service(issuer, off)
    for _ in range(5):
        issuer.advance(2)
        service.deliver()
    health = service.core.health(service.now)
    assert health.clock_skew == off
    assert any("clock" in warning for warning in health.warnings)
    service.off = 0
    for _ in range(40):
        issuer.advance(2)
        service.deliver()
    health = service.core.health(service.now)
    assert health.clock_skew == 0
    assert not any("clock" in warning for warning in health.warnings)
