"""What a rehearsed start says about trust, freshness, clocks and lag. No I/O."""

from collections.abc import Iterator
from typing import Final

from revocast.cli.doctor.finding import Finding, fail, ok, warn
from revocast.cli.doctor.start import Rehearsal
from revocast.cli.times import show_time
from revocast.schemas.delegating import expiry_warning
from revocast.sdk.core import GuardCore
from revocast.sdk.freshness import State
from revocast.sdk.instant import Instant

__all__ = ["judge"]

_SKEW: Final = 5
_TRUST, _CHECKPOINT, _CLOCK, _START = "trust", "checkpoint", "clock", "start"


def judge(rehearsal: Rehearsal, now: Instant, kafka_ahead: float | None = None) -> Iterator[Finding]:
    """Trust, the newest checkpoint, the clock, and whether the guard would start. `kafka_ahead` is as in witness.py."""
    core = rehearsal.core
    yield from _trust(core, now)
    yield from _checkpoint(core, now)
    yield from _clock(core, now, kafka_ahead)
    yield _start(rehearsal)


def _trust(core: GuardCore, now: Instant) -> Iterator[Finding]:
    listed, key_set = core.trust.delegations, core.trust.key_set
    if listed is None:
        yield fail(
            _TRUST,
            f"no delegation list on the keys topic leads back to the root {core.trust.root}",
            "Compare REVOCAST_ROOT, REVOCAST_ISSUER and REVOCAST_PREFIX with what `revocast status` shows at the issuer.",
        )
        return
    if (warning := expiry_warning(listed.expires_at, now.wall)) is not None:
        expired = listed.expires_at <= now.wall
        yield (fail if expired else warn)(_TRUST, warning, "`revocast trust renew`, with the root key.")
    if listed.distrust.issuer:
        yield fail(
            _TRUST,
            "the root distrusts the whole issuer: every token is refused",
            "That is break-glass; `revocast trust distrust --issuer --again` ends it.",
        )
    if key_set is None:
        yield fail(
            _TRUST,
            "there is no key set that a delegated key signed",
            "Is the issuer running? `revocast status`.",
        )
        return
    if not core.signs_for(core.trust.issuer):
        yield fail(
            _TRUST,
            f"the key set lists no keys of {core.trust.issuer}",
            "REVOCAST_ISSUER must be the issuer exactly as tokens name it.",
        )
    yield ok(
        _TRUST,
        f"root {core.roots[-1]}, delegation list {listed.version} until {show_time(listed.expires_at)}, "
        f"key set {key_set.delegations}/{key_set.version} with {len(core.verifier.keyring)} keys",
    )


def _checkpoint(core: GuardCore, now: Instant) -> Iterator[Finding]:
    newest, age = core.chain.checkpoint, core.freshness.authority_age(now)
    if newest is None or age is None:
        yield fail(
            _CHECKPOINT,
            "there is no checkpoint that can be believed",
            "Is the issuer's relay running? `revocast status`. If it is, this host's clock may be off by minutes.",
        )
        return
    said, limits = f"record {newest.epoch}/{newest.n}, signed {age:.0f} s ago", core.freshness.limits
    mend = "Is the issuer's relay running, and does it reach Kafka? `revocast status`."
    if age > limits.authority_age:
        yield fail(_CHECKPOINT, f"{said}: a guard is stale after {limits.authority_age:.0f} s", mend)
    elif age > limits.authority_alarm or core.freshness.clock_skew is None:
        yield warn(_CHECKPOINT, f"{said}, and none since: the issuer signs one every 2 s", mend)
    else:
        yield ok(_CHECKPOINT, said)


def _clock(core: GuardCore, now: Instant, kafka_ahead: float | None) -> Iterator[Finding]:
    skew, newest, key_set = core.freshness.clock_skew, core.chain.checkpoint, core.trust.key_set
    if skew is None and newest is not None and newest.t > now.wall:
        skew = int(now.wall - newest.t)  # it may be more: the checkpoint is not of this moment
    if skew is None:
        return  # nothing arrived to compare with, which is said above
    said = f"this clock is {abs(skew)} s {'ahead of' if skew > 0 else 'behind'} the issuer's"
    if abs(skew) <= _SKEW:
        yield ok(_CLOCK, f"within {_SKEW} s of the issuer's")
    elif key_set is not None and abs(skew) > key_set.leeway:
        yield fail(
            _CLOCK,
            f"{said}, more than the {key_set.leeway} s of leeway: good tokens are refused",
            _whose(skew, kafka_ahead),
        )
    else:
        yield warn(_CLOCK, said, _whose(skew, kafka_ahead))


def _whose(skew: int, kafka_ahead: float | None) -> str:
    """Which clock to set, by what Kafka's clock says."""
    if kafka_ahead is None:
        return "Set both by NTP."
    if abs(kafka_ahead) <= _SKEW:
        return "Set this host's by NTP: Kafka's timestamps agree with the issuer."
    if abs(kafka_ahead - skew) <= _SKEW:
        return "Set the issuer's by NTP: Kafka's timestamps agree with this host."
    return f"Set all by NTP: Kafka's timestamps are {kafka_ahead:+.0f} s from the issuer's."


def _start(rehearsal: Rehearsal) -> Finding:
    core, position = rehearsal.core, rehearsal.core.chain.position
    at = f"record {position.epoch}/{position.n}" if position else "nothing"
    if rehearsal.seconds is None or core.state is not State.READY:
        problem = f"; {rehearsal.problem}" if rehearsal.problem else ""
        return fail(
            _START,
            f"a guard would not become ready, or not stay so: {core.missing()}{problem}",
            "`revocast log verify` looks at the whole log; docs/embedding.md says what heals what.",
        )
    return ok(
        _START,
        f"a guard without a local copy is ready in {rehearsal.seconds:.1f} s, from the {rehearsal.origin}: "
        f"{at}, {len(core.verifier.denylist)} rows",
    )
