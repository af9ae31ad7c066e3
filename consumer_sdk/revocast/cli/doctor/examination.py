"""All checks, in an order in which a failure explains what follows: what could not be looked at is not blamed."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

from revocast.cli.doctor.environment import examine_environment, read_settings
from revocast.cli.doctor.finding import Finding, Verdict
from revocast.cli.doctor.foreign import examine_foreign
from revocast.cli.doctor.issuer import examine_introspection, served_root
from revocast.cli.doctor.network import examine_network
from revocast.cli.doctor.rights import examine_rights
from revocast.cli.doctor.snapshot import examine_snapshot
from revocast.cli.doctor.standing import judge
from revocast.cli.doctor.start import rehearse
from revocast.cli.doctor.state import examine_state, remembered_root
from revocast.cli.doctor.topics import examine_topics
from revocast.cli.doctor.witness import kafka_ahead
from revocast.sdk.clock import system_clock
from revocast.sdk.settings import GuardSettings

__all__ = ["examine"]


_HOPELESS: Final = 5.0
"""Seconds for a start of which it is known that it will not be: it tells why."""


async def examine(environ: Mapping[str, str], most: float) -> AsyncGenerator[Finding, None]:
    """Findings as they come. `most` seconds bound each of the long ones: the start, and the reading of a snapshot."""
    settings = read_settings(environ)
    if isinstance(settings, list):
        for finding in settings:
            yield finding
        return
    for finding in (*examine_environment(settings, environ), *examine_state(settings)):
        yield finding
    async for finding in _examine_deployment(settings, most):
        yield finding
    if settings.policy == "introspect":
        async for finding in examine_introspection(settings):
            yield finding
    async for finding in examine_foreign(settings):
        yield finding


async def _examine_deployment(settings: GuardSettings, most: float) -> AsyncIterator[Finding]:
    reached = False
    async for finding in examine_network(settings):
        reached = reached or finding.verdict is Verdict.OK
        yield finding
    if not reached:
        return
    whole = True
    for examining in (examine_topics, examine_rights):
        async for finding in examining(settings):
            whole = whole and finding.verdict is not Verdict.FAIL
            yield finding
    root = settings.root or remembered_root(settings) or await served_root(settings)
    if isinstance(root, Finding):
        yield root
        return
    rehearsal = await rehearse(settings, root, most if whole else min(most, _HOPELESS))
    now = system_clock()  # before anything else is read, by which it would be later
    trust = rehearsal.core.trust
    # A topic that is not there must not be asked for by name: some brokers would create it, with a configuration that loses records.
    for finding in judge(rehearsal, now, await kafka_ahead(settings, trust) if whole else None):
        yield finding
    if whole and trust.delegations is not None:
        async for finding in examine_snapshot(settings, trust, most):
            yield finding
