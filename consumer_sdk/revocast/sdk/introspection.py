"""Asking the issuer whether a token is active (RFC 7662), so that an outage of Kafka is not one of the service's.

A fleet that lost Kafka asks all at once, so every guard asks little:

* requests with the same token share one question, and its yes for a few seconds. That long a revocation may go unnoticed, so
  no longer; a no is not kept, for it may be lifted;
* a few questions at a time, of which tokens of unknown keys (which anybody can make up) get half;
* a question has a deadline and is asked twice at most, with jitter between;
* after some failures in a row nothing is asked for a while (a circuit breaker), then one question finds out.

The token and the credentials go to the issuer over TLS (plain HTTP: to loopback only), follow no redirect, and appear in no log.
Whatever is not an answer is `NoAnswer`: refused. One loop calls; needs the extra `introspection`.
"""

import asyncio
import hashlib
import random
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit

import httpx
from cachetools import TLRUCache
from circuitbreaker import STATE_HALF_OPEN, CircuitBreaker
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from revocast.sdk.clock import Clock
from revocast.sdk.introspected import NoAnswer, object_in, response_in
from revocast.sdk.loopback import is_loopback
from revocast.sdk.settings import GuardSettings

__all__ = ["Introspector"]

PLACES: Final = 8
"""Questions that may be under way at once."""
TRIES: Final = 2
KEPT_SECONDS: Final = 5.0
KEPT_ANSWERS: Final = 4096
FAILURES: Final = 5
"""So many in a row open the breaker, for about `RECOVERY_SECONDS`."""
RECOVERY_SECONDS: Final = 10.0
_MAX_BYTES: Final = 64 * 1024


class _Passing(NoAnswer):
    """A failure that another try may not meet."""


class _NotAsked(NoAnswer):
    """The issuer is spared."""


class Introspector:
    """One guard's questions to its issuer. `counters` counts their outcomes; `problem` says why there is no answer now."""

    def __init__(self, settings: GuardSettings, clock: Clock) -> None:
        self.counters: Counter[str] = Counter()
        self.problem = ""
        self._settings = settings
        self._clock = clock
        self._endpoint = settings.introspection_endpoint
        local = is_loopback(settings.introspection_endpoint or settings.issuer)
        self._http = httpx.AsyncClient(
            verify=settings.caller_context(),
            timeout=settings.introspection_timeout,
            limits=httpx.Limits(max_connections=PLACES),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            trust_env=not local,  # no proxy stands between here and here
        )
        self._cache: TLRUCache[bytes, Mapping[str, Any]] = TLRUCache(
            KEPT_ANSWERS, self._kept_until, timer=lambda: clock().monotonic
        )
        self._flights: dict[bytes, asyncio.Task[Mapping[str, Any]]] = {}
        self._places = asyncio.Semaphore(PLACES)
        self._strangers = asyncio.Semaphore(PLACES // 2)
        self._probing = False
        # Not the same for everyone: a fleet whose breakers opened together must not probe together.
        recovery = RECOVERY_SECONDS * (1 + random.random()) / 2  # noqa: S311
        self._breaker = CircuitBreaker(FAILURES, recovery, NoAnswer)

    async def ask(self, token: str, *, stranger: bool) -> Mapping[str, Any]:
        """The issuer's answer, as it came. `stranger`: the token's key is not known here. Raises `NoAnswer`."""
        # By its hash: what is kept in memory is no token that somebody could use.
        key = hashlib.sha256(token.encode()).digest()
        if (kept := self._cache.get(key)) is not None:
            self.counters["kept"] += 1
            return kept
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._question(token, key, stranger=stranger))
            flight.add_done_callback(lambda done: self._landed(key, done))
        # A client that goes away ends its own wait, not the question: others may wait for it, and so does the breaker.
        try:
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            raise NoAnswer(
                "the guard was stopped"
            ) from None  # the question was cancelled, not who waits for it

    async def close(self) -> None:
        """Ask no more."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._http.aclose()

    def _landed(self, key: bytes, flight: asyncio.Task[Mapping[str, Any]]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # nobody may be left to look at it, which is no defect

    def _kept_until(self, _: bytes, answer: Mapping[str, Any], now: float) -> float:
        return now + min(KEPT_SECONDS, float(answer["exp"]) - self._clock().wall)

    async def _question(self, token: str, key: bytes, *, stranger: bool) -> Mapping[str, Any]:
        try:
            async with self._place(stranger=stranger):
                answer = await self._tries(token)
        except _NotAsked:
            self.counters["not_asked"] += 1
            raise
        except NoAnswer:
            self.counters["failed"] += 1
            raise
        active = answer["active"]
        self.counters["active" if active else "inactive"] += 1
        if active and type(answer.get("exp")) in (int, float):
            self._cache[key] = answer
        return answer

    @asynccontextmanager
    async def _place(self, *, stranger: bool) -> AsyncIterator[None]:
        places = (self._strangers, self._places) if stranger else (self._places,)
        async with AsyncExitStack() as taken:
            try:
                async with asyncio.timeout(self._settings.introspection_timeout):
                    for place in places:
                        await taken.enter_async_context(place)
            except TimeoutError:
                raise _NotAsked("too many questions are waiting for the issuer") from None
            yield

    async def _tries(self, token: str) -> Mapping[str, Any]:
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.1, max=1),
            retry=retry_if_exception_type(_Passing),
            reraise=True,
        ):
            with attempt, self._admitted():
                return await self._try(token)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        probe = self._breaker.state == STATE_HALF_OPEN
        if self._breaker.opened or (probe and self._probing):
            raise _NotAsked(f"the issuer is not asked for a while, since: {self.problem}")
        self._probing = self._probing or probe
        try:
            with self._breaker:
                yield
            self.problem = ""
        except NoAnswer as error:
            self.problem = str(error)
            raise
        finally:
            self._probing = self._probing and not probe

    async def _try(self, token: str) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(self._settings.introspection_timeout):
                if self._endpoint is None:
                    self._endpoint = await self._discover()
                status, body = await self._post(self._endpoint, token)
        except TimeoutError:
            raise _Passing("the issuer did not answer in time") from None
        # Its transport lets other errors out: a name or a port in the URL that the system cannot take.
        except (httpx.RequestError, httpx.InvalidURL, OSError, ValueError, ExceptionGroup) as error:
            raise _Passing(f"the issuer cannot be reached ({type(error).__name__})") from None
        if status == 401:
            raise NoAnswer("the issuer refuses this client (REVOCAST_CLIENT_ID, REVOCAST_CLIENT_SECRET)")
        if status != 200:
            kind = _Passing if status >= 500 or status == 429 else NoAnswer
            raise kind(f"the issuer answers with HTTP status {status}")
        return response_in(body)

    async def _post(self, endpoint: str, token: str) -> tuple[int, bytes]:
        form = {"token": token, "token_type_hint": "access_token"}
        headers = {"Authorization": self._credentials()}
        return await self._fetch(self._http.build_request("POST", endpoint, data=form, headers=headers))

    async def _discover(self) -> str:
        """The endpoint that the issuer's metadata (RFC 8414 §3) name; the one of our issuer if it has none."""
        issuer = self._settings.issuer
        parts = urlsplit(issuer)
        path = f"/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
        url = parts._replace(path=path).geturl()
        status, body = await self._fetch(self._http.build_request("GET", url))
        if status == 404:
            return f"{issuer.rstrip('/')}/oauth/introspect"
        if status != 200:
            raise _Passing(f"the issuer's metadata come with HTTP status {status}")
        metadata = object_in(body)
        if metadata.get("issuer") != issuer:  # RFC 8414 §3.3
            raise NoAnswer("the issuer's metadata are of another issuer")
        endpoint = metadata.get("introspection_endpoint")
        if not isinstance(endpoint, str):
            raise NoAnswer("the issuer's metadata name no introspection endpoint")
        return endpoint

    async def _fetch(self, request: httpx.Request) -> tuple[int, bytes]:
        if request.url.scheme != "https" and not (
            request.url.scheme == "http" and is_loopback(str(request.url))
        ):
            raise NoAnswer("the introspection endpoint is not an https URL")
        answer = await self._http.send(request, stream=True)
        try:
            # As it was sent: unpacked, a kilobyte can be gigabytes before anybody could measure them.
            if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                raise NoAnswer("the issuer's answer is compressed, which it was asked not to be")
            body = b""
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise NoAnswer("the issuer's answer is too long")
        finally:
            await answer.aclose()
        return answer.status_code, body

    def _credentials(self) -> str:
        settings = self._settings
        assert settings.client_id is not None
        assert settings.client_secret is not None
        # RFC 6749 §2.3.1: both are form-encoded before they are joined.
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret.get_secret_value())}"
        return "Basic " + b64encode(pair.encode()).decode()
