"""The key sets of other issuers: whether each URL answers with keys that a guard can use."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

from revocast.cli.doctor.finding import Finding, fail, ok, warn
from revocast.sdk.jwks.document import NotAKeySet, read_document
from revocast.sdk.jwks.fetching import Fetcher
from revocast.sdk.settings import GuardSettings

__all__ = ["examine_foreign"]

_CHECK: Final = "JWKS"


async def examine_foreign(settings: GuardSettings) -> AsyncIterator[Finding]:
    """A finding for each URL."""
    fetcher = Fetcher(settings.jwks_context(), settings.jwks_timeout)
    places = [(issuer, url) for issuer, urls in settings.jwks.items() for url in urls]
    for finding in await asyncio.gather(*(_examine(fetcher, issuer, url) for issuer, url in places)):
        yield finding


async def _examine(fetcher: Fetcher, issuer: str, url: str) -> Finding:
    try:
        answer = await fetcher.fetch(url, "")
        document = read_document(answer.body or b"")
    except NotAKeySet as error:
        return fail(
            _CHECK,
            f"issuer {issuer}: {_shown(url)}: {error}",
            "See REVOCAST_JWKS, and REVOCAST_JWKS_CA for its certificate.",
        )
    if not document.keys:
        return fail(
            _CHECK,
            f"issuer {issuer}: its set holds no key that verifies access tokens",
            "Let it sign with RS256, ES256 or Ed25519, and name its keys by kid.",
        )
    if document.refused:
        reasons = "; ".join(f"{count} × {reason}" for reason, count in sorted(document.refused.items()))
        return warn(
            _CHECK, f"issuer {issuer}: keys that should not be there: {reasons}", "Tell its operator."
        )
    return ok(_CHECK, f"issuer {issuer}: {len(document.keys)} keys")


def _shown(url: str) -> str:
    """The URL without what can hold a secret: reports go into tickets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?…" if parts.query else "")
