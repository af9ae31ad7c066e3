"""The foreign issuers of one guard: keeps their keys current on the guard's loop, and judges their tokens.

A task for each issuer waits until its set is due, fetches it, and hands it over. `verify` waits for nothing: it makes a set due and
wakes the task. The rules are in source.py; what an issuer serves is read by document.py and fetched by fetching.py.
"""

import asyncio
import contextlib
import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

from revocast.schemas.jose import PublicKey, parse_compact
from revocast.sdk.claims import Claims
from revocast.sdk.clock import Clock
from revocast.sdk.core import GuardCore
from revocast.sdk.errors import (
    AlgorithmNotAllowed,
    IssuerUnavailable,
    RevocastError,
    SignatureInvalid,
    TokenError,
    UnknownKey,
)
from revocast.sdk.instant import Instant
from revocast.sdk.introspected import acceptable
from revocast.sdk.journal import logger
from revocast.sdk.jwks.caching import Answer
from revocast.sdk.jwks.document import NotAKeySet, read_document
from revocast.sdk.jwks.source import KeySource, Miss, SourceHealth
from revocast.sdk.policy import Policy
from revocast.sdk.profile import MAX_TOKEN_BYTES
from revocast.sdk.settings import GuardSettings

if TYPE_CHECKING:
    from revocast.sdk.jwks.fetching import Fetcher

__all__ = ["ForeignKeys", "check_can_fetch"]

_UNDER_NO_KEY: Final = (UnknownKey, SignatureInvalid, AlgorithmNotAllowed)
"""What a token gets whose key is not there: the latter two where another issuer has one of the same name."""


def check_can_fetch() -> None:
    """Raise `ModuleNotFoundError` unless the extra is there."""
    try:
        from revocast.sdk.jwks import fetching  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("REVOCAST_JWKS is set: install revocast[jwks]") from error


class ForeignKeys:
    """`changed` is called on the loop whenever an issuer's keys are others than before. `counters` counts fetches by outcome, and
    `misses` tokens under unknown keys by what they came to.
    """

    def __init__(self, settings: GuardSettings, clock: Clock, changed: Callable[[], None]) -> None:
        self.counters: Counter[str] = Counter()
        self.misses: Counter[str] = Counter()
        self._settings = settings
        self._clock = clock
        self._changed = changed
        now = clock().monotonic
        self._sources = {issuer: KeySource(settings.jwks_outage, now) for issuer in settings.jwks}
        self._validators: dict[str, tuple[str, str]] = {}
        """By issuer: which URL the set in force came from, and its ETag."""
        # Threads that verify meet the loop in a source's counts.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakes: dict[str, asyncio.Event] = {}
        self._landings: dict[str, asyncio.Future[None]] = {}

    # --- judging

    def verify(
        self, core: GuardCore, token: str, now: Instant, scopes: Collection[str], policy: Policy
    ) -> Claims:
        """As `GuardCore.verify`; and what becomes of a token whose issuer's keys are not there, or too old to judge by."""
        try:
            claims = core.verify(token, now, scopes, policy)
        except _UNDER_NO_KEY as error:
            raise self._missed(core, token, now, policy) or error from None
        if (unusable := self._unusable(core, claims["iss"], now, policy)) is not None:
            raise unusable
        return claims

    def vouches(self, issuer: str, monotonic: float) -> bool:
        """Whether no source is out of date whose keys the issuer's tokens may have been judged by."""
        source = self._sources.get(issuer)
        return source is None or source.usable(monotonic)

    async def landing(self, issuer: str) -> None:
        """Wait until the fetch that is under way, or about to begin, is over; as long as one may take at most."""
        if (landing := self._landings.get(issuer)) is not None:
            await asyncio.wait({landing}, timeout=self._settings.jwks_timeout)

    @property
    def keys(self) -> Mapping[str, Mapping[str, PublicKey]]:
        """By issuer and kid, as far as they were fetched."""
        return {issuer: source.keys for issuer, source in self._sources.items()}

    # --- observing

    def health(self, now: Instant) -> dict[str, SourceHealth]:
        """By issuer."""
        return {issuer: source.health(now.monotonic) for issuer, source in self._sources.items()}

    def warnings(self, core: GuardCore | None, now: Instant) -> dict[str, str]:
        """A sentence by subject."""
        found: dict[str, str] = {}
        for issuer, source in self._sources.items():
            if core is not None and core.signs_for(issuer):
                found[f"jwks {issuer}"] = (
                    f"issuer {issuer}: the deployment's key set lists its keys, so REVOCAST_JWKS has no effect on it"
                )
            elif warnings := [*source.warnings(now.monotonic)]:
                found[f"jwks {issuer}"] = f"issuer {issuer}: {'; '.join(warnings)}"
        return found

    # --- keeping current

    async def run(self) -> None:
        """Keep every set current, until cancelled."""
        from revocast.sdk.jwks.fetching import Fetcher

        self._loop = asyncio.get_running_loop()
        fetcher = Fetcher(self._settings.jwks_context(), self._settings.jwks_timeout)
        self._wakes = {issuer: asyncio.Event() for issuer in self._sources}
        self._landings = {issuer: self._loop.create_future() for issuer in self._sources}
        try:
            async with asyncio.TaskGroup() as tasks:
                for issuer in self._sources:
                    tasks.create_task(self._keep(issuer, fetcher), name=f"revocast keys of {issuer}")
        finally:
            self._loop = None
            for landing in self._landings.values():
                landing.cancel()  # nothing lands any more

    def receive(self, issuer: str, body: bytes) -> None:
        """Take a key set that was not fetched. Raises `NotAKeySet`."""
        source = self._sources[issuer]
        source.begin(self._clock().monotonic)
        self._take(issuer, source, "", Answer(body, "", None))

    async def first(self) -> None:
        """Wait until every issuer has been asked once, as long as a request may take at most."""
        untried = {self._landings[issuer] for issuer, source in self._sources.items() if not source.tried}
        if untried:
            await asyncio.wait(untried, timeout=self._settings.jwks_timeout)

    async def _keep(self, issuer: str, fetcher: "Fetcher") -> None:
        source, wake = self._sources[issuer], self._wakes[issuer]
        while True:
            wake.clear()  # before `due` is looked at: whoever changes it wakes afterwards
            wait = source.due - self._clock().monotonic
            if wait > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await wake.wait()
                continue
            await self._refresh(issuer, source, fetcher)
            landed, self._landings[issuer] = (
                self._landings[issuer],
                asyncio.get_running_loop().create_future(),
            )
            landed.set_result(None)

    async def _refresh(self, issuer: str, source: KeySource, fetcher: "Fetcher") -> None:
        with self._lock:
            source.begin(self._clock().monotonic)
        problems: list[str] = []
        try:
            for url in self._settings.jwks[issuer]:
                try:
                    held, etag = self._validators.get(issuer, ("", ""))
                    answer = await fetcher.fetch(url, etag if held == url else "")
                    self._take(issuer, source, url, answer)
                    return
                except NotAKeySet as error:
                    problems.append(str(error))
                except Exception as error:  # a defect must not leave the service without keys for ever
                    logger.exception("reading a foreign issuer's keys failed")
                    problems.append(f"a defect in the guard: {type(error).__name__}")
        except asyncio.CancelledError:
            with self._lock:
                source.abandoned(self._clock().monotonic)
            raise
        self.counters["failed"] += 1
        with self._lock:
            source.failed("; then: ".join(problems), self._clock().monotonic)

    def _take(self, issuer: str, source: KeySource, url: str, answer: Answer) -> None:
        if answer.body is None:
            with self._lock:
                source.unchanged(answer.lifetime, self._clock().monotonic)
            self.counters["unchanged"] += 1
            return
        document = read_document(answer.body)
        with self._lock:
            changed = source.took(document, answer.lifetime, self._clock().monotonic)
        self._validators[issuer] = (url, answer.etag)
        if changed:
            self._changed()
        self.counters["fetched"] += 1

    # --- what cannot be judged

    def _missed(self, core: GuardCore, token: str, now: Instant, policy: Policy) -> RevocastError | None:
        """What to say of a token under no key, if its issuer is foreign and has no key of that name here; None: nothing more."""
        verifier = core.verifier
        try:
            # Only what would be taken if the key were there is worth a refresh. Its `iss` selects among the configured.
            issuer = acceptable(token, verifier.profile, verifier.keyring, max(now.wall, verifier.newest_t))[
                "iss"
            ]
        except TokenError:
            return None
        source = self._sources.get(issuer)
        if source is None or core.signs_for(issuer):
            return None
        kid = parse_compact(token, MAX_TOKEN_BYTES).header["kid"]
        if kid in source.keys:
            return None
        with self._lock:
            miss = source.missed(kid, now.monotonic)
            wait = source.retry_after(now.monotonic)
            self.misses[miss.name.lower()] += 1
        refreshing = issuer if miss is Miss.REFRESHING else None
        if refreshing:
            self._wake(issuer)
        if (unusable := self._unusable(core, issuer, now, policy)) is not None:
            unusable.refreshing = refreshing
            return unusable
        if miss is Miss.ABSENT:
            return UnknownKey()
        return UnknownKey(retry_after=max(1, math.ceil(wait)), refreshing=refreshing)

    def _unusable(
        self, core: GuardCore, issuer: str, now: Instant, policy: Policy
    ) -> IssuerUnavailable | None:
        source = self._sources.get(issuer)
        if source is None or source.usable(now.monotonic) or core.signs_for(issuer):
            return None
        if policy == "allow" and source.keys:
            return None
        return IssuerUnavailable(source.last_error or "its key set has not been fetched yet")

    def _wake(self, issuer: str) -> None:
        if (loop := self._loop) is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed in this moment
                loop.call_soon_threadsafe(self._wakes[issuer].set)
