"""The issuer over HTTPS, where a guard needs it: to pin its root, or to ask it about tokens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from revocast.cli.doctor.finding import Finding, fail, ok
from revocast.sdk.clock import system_clock
from revocast.sdk.errors import PinFailed
from revocast.sdk.introspected import NoAnswer
from revocast.sdk.pin import fetch_list, root_of
from revocast.sdk.settings import GuardSettings

__all__ = ["examine_introspection", "served_root"]

_CHECK: Final = "issuer"
_TIMEOUT: Final = 5.0
_NO_TOKEN: Final = "revocast.doctor.asks"  # three words, and nobody's


async def served_root(settings: GuardSettings) -> str | Finding:
    """The root that the first start would pin, or why it could pin none."""
    try:
        listed = await asyncio.to_thread(fetch_list, settings.issuer, _TIMEOUT, settings.caller_context())
        return root_of(listed, settings.issuer)
    except PinFailed as error:
        return fail(_CHECK, f"{settings.issuer}: {error.description}", error.remedy)


async def examine_introspection(settings: GuardSettings) -> AsyncIterator[Finding]:
    """Ask about a token that nobody has: the answer must be that it is not active."""
    try:
        from revocast.sdk.introspection import Introspector
    except ModuleNotFoundError:
        yield fail(
            _CHECK,
            "the policy is introspect, and the packages for it are missing",
            'pip install "revocast[introspection]"',
        )
        return
    introspector = Introspector(settings, system_clock)
    try:
        await introspector.ask(_NO_TOKEN, stranger=False)
    except NoAnswer as error:
        yield fail(
            _CHECK,
            f"it cannot be asked about tokens: {error}",
            "See REVOCAST_CLIENT_ID, REVOCAST_CLIENT_SECRET_FILE, REVOCAST_INTROSPECTION_ENDPOINT and REVOCAST_TLS_CA.",
        )
    else:
        yield ok(_CHECK, "it answers about tokens, and takes this client")
    finally:
        await introspector.close()
