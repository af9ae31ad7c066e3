"""The guard as a service sees it, over an in-memory authority."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from revocast.sdk import (
    Guard,
    GuardNotReady,
    GuardStale,
    RequestMalformed,
    SettingsError,
    StartupTimeout,
    State,
    TokenMissing,
    TokenRevoked,
    Transition,
)
from revocast.sdk.policy import Policy
from revocast.testing import Authority, InMemoryGuard

ENVIRON = {
    "REVOCAST_ISSUER": "https://issuer.test",
    "REVOCAST_AUDIENCE": "orders",
    "REVOCAST_KAFKA": "kafka:9092",
}


def test_settings_come_from_the_environment_and_arguments_win() -> None:
    environ = {**ENVIRON, "REVOCAST_POLICY": "allow", "REVOCAST_LINK_AGE": "12.5", "REVOCAST_PREFIX": "p"}
    settings = Guard.from_env(environ, audience="billing").settings
    assert (settings.audience, settings.policy, settings.link_age) == ("billing", "allow", 12.5)
    assert settings.topics.revocations == "p.revocations"
    assert (settings.startup_timeout, settings.mode, settings.root) == (30.0, "enforce", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REVOCAST_AUDIENCE", ""),
        ("REVOCAST_POLICY", "trust"),
        ("REVOCAST_MODE", "off"),
        ("REVOCAST_ROOT", "short"),
        ("REVOCAST_LINK_AGE", "0"),
        ("REVOCAST_STARTUP_TIMEOUT", "inf"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Guard.from_env({**ENVIRON, name: value})


def test_a_guard_that_was_not_started_judges_nothing() -> None:
    guard = Guard.from_env(ENVIRON)
    assert guard.state is State.STARTING
    with pytest.raises(GuardNotReady):
        guard.verify("token")
    with pytest.raises(GuardNotReady):
        guard.health()


async def test_without_kafka_it_says_what_is_missing(tmp_path: Path) -> None:
    guard = Guard(
        "https://issuer.test", "orders", "127.0.0.1:1", "A" * 43, startup_timeout=0.5, state_dir=tmp_path
    )
    with pytest.raises(StartupTimeout, match=r"no delegation list.*Kafka: .*waited 0\.5 s"):
        async with guard:
            pass
    assert guard.state is State.CLOSED


async def test_without_the_issuer_nothing_is_pinned(tmp_path: Path) -> None:
    guard = Guard("http://127.0.0.1:1", "orders", "127.0.0.1:1", startup_timeout=0.5, state_dir=tmp_path)
    with pytest.raises(StartupTimeout, match=r"not pinned yet.*cannot be fetched.*REVOCAST_ROOT"):
        await guard.start()


async def test_shadow_mode_holds_up_no_start(tmp_path: Path) -> None:
    guard = Guard(
        "https://issuer.test",
        "orders",
        "127.0.0.1:1",
        "A" * 43,
        mode="shadow",
        startup_timeout=0.2,
        state_dir=tmp_path,
    )
    async with guard:
        assert not guard.verify("token")


def test_a_synchronous_start_fails_the_same_way(tmp_path: Path) -> None:
    guard = Guard(
        "https://issuer.test", "orders", "127.0.0.1:1", "A" * 43, startup_timeout=0.2, state_dir=tmp_path
    )
    with pytest.raises(StartupTimeout), guard:
        pass
    assert guard.table() == (None, b""), "it needs no thread that has ended"


def test_changes_are_told_and_a_failing_watcher_stops_nothing(
    revocast_authority: Authority, revocast_guard: InMemoryGuard, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Transition] = []

    def failing(_: Transition) -> None:
        raise RuntimeError("the watcher's own")

    revocast_guard.on_change(failing)
    revocast_guard.on_change(told.append)
    with caplog.at_level(logging.INFO, "revocast.sdk"):
        revocast_authority.now += 100
        revocast_authority.keys.replay(-1)
        revocast_authority.checkpoint()
    assert [change.after for change in told] == [State.STALE, State.READY]
    assert "guard is stale (was ready): " in caplog.text
    assert "a watcher of the guard's state failed" in caplog.text


@pytest.mark.parametrize(
    ("policy", "meaning"),
    [
        ("deny", "tokens are refused (policy deny)"),
        ("allow", "tokens are judged by what is known (policy allow)"),
        ("introspect", "the issuer is asked about tokens (policy introspect)"),
    ],
)
def test_the_log_says_each_change_once_and_what_it_means_for_tokens(
    revocast_authority: Authority, caplog: pytest.LogCaptureFixture, policy: Policy, meaning: str
) -> None:
    guard = InMemoryGuard(revocast_authority, policy=policy, client_id="c", client_secret="s")
    with caplog.at_level(logging.INFO, "revocast.sdk"):
        caplog.clear()
        revocast_authority.now += 100
        for _ in range(3):
            guard.delivery.core.handle_timer(guard.delivery.now)
        revocast_authority.checkpoint()
    assert caplog.messages == [
        f"guard is stale (was ready): not in touch with Kafka for 100 s (limit 60 s); {meaning}",
        "guard is ready (was stale): current; tokens are judged",
    ]
    assert guard.health().counters["transition.ready.stale"] == 1


def test_warnings_are_written_when_they_come_change_and_go(
    revocast_authority: Authority, revocast_guard: InMemoryGuard, caplog: pytest.LogCaptureFixture
) -> None:
    revocast_authority.list_lifetime = 61 * 86_400
    revocast_authority.publish_delegations()
    written: list[list[str]] = []
    with caplog.at_level(logging.INFO, "revocast.sdk"):
        for seconds in (0, 31, 1, 1, 2 * 86_400, 1, 1, 60 * 86_400):
            caplog.clear()
            revocast_authority.now += seconds
            if seconds > 31:
                revocast_authority.checkpoint()
            revocast_guard._tick(revocast_guard.delivery.now)
            written.append([line for line in caplog.messages if "guard is" not in line])
    alarm = "the issuer has signed no new checkpoint for more than 30 s: is its relay alive?"
    renew = "sign a new one with the root key (`revocast trust renew`)"
    assert written == [
        [],
        [alarm],
        [],
        [],
        [f"the delegation list expires in 58 days: {renew}", f"over: {alarm}"],
        [],
        [],
        [f"the delegation list has expired: {renew}"],
    ]
    assert revocast_guard.state is State.STALE
    assert f"the delegation list has expired: {renew}" in revocast_guard.health().warnings


def test_a_route_may_be_stricter_or_laxer_than_the_guard(revocast_authority: Authority) -> None:
    token = revocast_authority.mint(lifetime=1000)
    revoked = revocast_authority.mint(sub="mallory", lifetime=1000)
    revocast_authority.block(revocast_authority.subject("mallory"))
    lax, strict = (InMemoryGuard(revocast_authority, policy=policy) for policy in ("allow", "deny"))
    revocast_authority.now += 100
    assert lax.verify(token)
    assert strict.verify(token, freshness="allow")
    for guard in (lax, strict):
        with pytest.raises(GuardStale):
            guard.verify_request([f"Bearer {token}"], freshness="deny")
        with pytest.raises(TokenRevoked):
            guard.verify(revoked, freshness="allow")


def test_a_request_brings_its_token_in_one_header(
    revocast_authority: Authority, revocast_guard: InMemoryGuard
) -> None:
    token = revocast_authority.mint()
    assert revocast_guard.verify_request([f"Bearer {token}"])
    with pytest.raises(TokenMissing):
        revocast_guard.verify_request([])
    with pytest.raises(RequestMalformed):
        revocast_guard.verify_request([f"Bearer {token}"] * 2)


def test_the_table_is_the_authoritys(revocast_authority: Authority, revocast_guard: InMemoryGuard) -> None:
    revocast_authority.block(revocast_authority.subject("alice"))
    assert revocast_guard.table() == (revocast_authority.position, revocast_authority.table.pack())


def test_shadow_mode_hands_out_no_claims_that_no_trusted_key_signed(revocast_authority: Authority) -> None:
    guard = InMemoryGuard(revocast_authority, mode="shadow")
    stranger = Authority()
    assert not guard.verify(stranger.mint(sub="admin"))
    expired = revocast_authority.mint(sub="alice", lifetime=1)
    revocast_authority.advance(100)
    assert guard.verify(expired).subject == "alice"


def test_refusals_are_counted_and_no_token_is_logged(
    revocast_authority: Authority, revocast_guard: InMemoryGuard, caplog: pytest.LogCaptureFixture
) -> None:
    token = revocast_authority.mint()
    revocast_authority.revoke(token)
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            with pytest.raises(TokenRevoked):
                revocast_guard.verify(token)
    assert revocast_guard.health().counters["refused.token_revoked"] == 3
    assert token.rpartition(".")[2] not in caplog.text


def test_importing_the_sdk_brings_in_no_web_framework() -> None:
    script = (
        "import sys, revocast.sdk, revocast.sdk.integrations.asgi; "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('fastapi', 'starlette', 'faust', 'sqlalchemy', 'flask', 'typer', 'rich')])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
