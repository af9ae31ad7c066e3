"""The guard: what a service embeds. Here its parts are put together.

guard = Guard(issuer="https://issuer.example", audience="orders", kafka="kafka:9092")
async with guard:                         # or `with guard:` where there is no event loop
    claims = guard.verify(token)          # in memory; raises TokenRevoked, TokenExpired, UnknownKey, …
    claims = await guard.averify(token)   # the same; asks the issuer while the guard is not current, if the policy says so
"""

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, Unpack, get_args

from revocast.schemas.errors import SettingsError
from revocast.schemas.json_log import facts
from revocast.schemas.record import Position
from revocast.sdk.background import BackgroundLoop
from revocast.sdk.bearer import bearer_token
from revocast.sdk.claims import NO_CLAIMS, Claims
from revocast.sdk.clock import Clock, hands, system_clock
from revocast.sdk.consulting import Consulting, check_can_ask
from revocast.sdk.core import GuardCore
from revocast.sdk.errors import (
    GuardNotReady,
    GuardUnavailable,
    IssuerUnavailable,
    RevocastError,
    StartupTimeout,
    UnknownKey,
)
from revocast.sdk.forking import tell_when_forked
from revocast.sdk.freshness import State, Transition
from revocast.sdk.health import Health, warnings_of
from revocast.sdk.instant import Instant
from revocast.sdk.journal import Journal, logger
from revocast.sdk.kafka import KafkaSource
from revocast.sdk.policy import Policy
from revocast.sdk.settings import GuardSettings, Mode, MoreOptions
from revocast.sdk.signatures import backend_named

if TYPE_CHECKING:
    from revocast.sdk.integrations.fastapi import Required
    from revocast.sdk.jwks.foreign import ForeignKeys

__all__ = ["Guard"]

T = TypeVar("T")


class _OwnPolicy:
    """The default in `Guard.required`, of a type that FastAPI takes from no request.

    `Security(guard.required)`, without parentheses, would make a dependency of the method itself, which lets everybody in. So it
    is an error when the route is declared.
    """


_OWN: Final = _OwnPolicy()


class Guard:
    """Judges access tokens in memory, on a state that it keeps current by itself.

    `issuer` is the issuer's URL and `audience` this service, as tokens name both. `kafka` is bootstrap servers, and `prefix`
    what the topics' names begin with. `root` is the root key's thumbprint; without it the root is pinned on first use, and
    remembered under `state_dir`. `policy` is what happens while the guard cannot know whether it is current: `deny`, `allow` or
    `introspect`, which needs `client_id`, `client_secret` and the extra `introspection`. `mode="shadow"` refuses nothing and reports
    what it would have refused: for roll-out, in services that still verify tokens themselves. `startup_timeout`, `link_age` and
    `authority_age` are seconds; `cache_size` counts remembered tokens. `state_dir` also holds the deny-list for the next start. `more` is
    how connections are protected, how the issuer is asked, whose other tokens are taken and what checks signatures: `kafka_security`,
    `tls_ca`, `client_id`, `jwks`, `signatures`, … as the environment has them.

    Raises `SettingsError` when an argument cannot be right.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        kafka: str,
        root: str | None = None,
        *,
        prefix: str | None = None,
        policy: Policy | None = None,
        mode: Mode | None = None,
        startup_timeout: float | None = None,
        link_age: float | None = None,
        authority_age: float | None = None,
        cache_size: int | None = None,
        state_dir: Path | str | None = None,
        clock: Clock = system_clock,
        **more: Unpack[MoreOptions],
    ) -> None:
        self.settings = GuardSettings.from_env(
            {},
            issuer=issuer,
            audience=audience,
            kafka=kafka,
            root=root,
            prefix=prefix,
            policy=policy,
            mode=mode,
            startup_timeout=startup_timeout,
            link_age=link_age,
            authority_age=authority_age,
            cache_size=cache_size,
            state_dir=state_dir,
            **more,
        )
        self.check_freshness(self.settings.policy)
        backend_named(self.settings.signatures)  # what is not installed is said now
        self._clock = clock
        self._wall, self._monotonic = hands(clock)
        self._watchers: list[Callable[[Transition], None]] = []
        self._transitions: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._background: BackgroundLoop | None = None
        self._inherited: Literal["", "loop", "thread"] = ""
        self._assemble()

    def _assemble(self) -> None:
        """All that belongs to one process and one start."""
        self._journal = Journal()
        self._source = KafkaSource(self.settings, self._clock, self._journal)
        self._core: GuardCore | None = None
        self._consulting = Consulting(self.settings, self._clock, lambda: self._core)
        self._foreign = self._foreign_keys()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._refused_lock = threading.Lock()
        self._resuming = threading.Lock()
        self._began_at = 0.0
        self._start_seconds: float | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **given: Any) -> Self:
        """From `REVOCAST_ISSUER`, `REVOCAST_AUDIENCE`, `REVOCAST_KAFKA`, `REVOCAST_ROOT`, …; `given` values win.

        Raises `SettingsError`, naming the variable.
        """
        names = GuardSettings.model_fields
        settings = GuardSettings.from_env(environ, **{name: given[name] for name in given if name in names})
        others = {name: value for name, value in given.items() if name not in names}
        return cls(**settings.model_dump(exclude_unset=True), **others)

    # --- judging

    def verify(self, token: str, *, scopes: Collection[str] = (), freshness: Policy | None = None) -> Claims:
        """The claims of an access token that is good now and grants all `scopes`. No I/O, no waiting, any thread.

        `freshness` stands in for the guard's policy. Raises a `TokenError` (`TokenRevoked`, `TokenExpired`, `UnknownKey`,
        `InsufficientScope`, …) when the token is not good, and a `GuardUnavailable` when the guard cannot know and the policy
        is not `allow`.
        """
        core = self._core
        if core is not None:
            now = self._monotonic()
            claims = core.recall(token, self._wall(), now)  # most requests end here
            if (
                claims is not None
                and (not scopes or claims.scopes.issuperset(scopes))
                and (self._foreign is None or self._foreign.vouches(claims["iss"], now))
            ):
                return claims
        try:
            return self._judge(token, scopes, freshness or self.settings.policy)
        except RevocastError as error:
            return self._refuse(error, token)

    def verify_request(
        self,
        authorization: Sequence[str],
        *,
        scopes: Collection[str] = (),
        freshness: Policy | None = None,
    ) -> Claims:
        """As `verify`, for the values of all Authorization headers of a request (RFC 6750 §2.1)."""
        try:
            token = bearer_token(authorization)
        except RevocastError as error:
            return self._refuse(error, "")
        return self.verify(token, scopes=scopes, freshness=freshness)

    async def averify(
        self, token: str, *, scopes: Collection[str] = (), freshness: Policy | None = None
    ) -> Claims:
        """As `verify`. It waits only while the guard is not current and the policy is `introspect`: for the issuer's answer; and for a
        foreign issuer's key set that is being fetched because of this token's key.

        The issuer can answer from `start` on, also before the guard is ready. Where it does not, the `GuardUnavailable` is
        that of `verify`. What the guard knows to be refused is refused without asking.
        """
        policy = freshness or self.settings.policy
        try:
            try:
                return await self._judge_patiently(token, scopes, policy)
            except GuardUnavailable as error:
                if policy != "introspect" or not self._running:
                    raise
                unavailable = error
            return await self._on_own_loop(self._consulting.judge(token, scopes, unavailable))
        except RevocastError as error:
            return self._refuse(error, token)

    async def averify_request(
        self,
        authorization: Sequence[str],
        *,
        scopes: Collection[str] = (),
        freshness: Policy | None = None,
    ) -> Claims:
        """As `averify`, for the values of all Authorization headers of a request (RFC 6750 §2.1)."""
        try:
            token = bearer_token(authorization)
        except RevocastError as error:
            return self._refuse(error, "")
        return await self.averify(token, scopes=scopes, freshness=freshness)

    def required(self, *, freshness: Policy | _OwnPolicy = _OWN) -> "Required":
        """The FastAPI dependency: `Security(guard.required(), scopes=["orders:read"])`. Needs the extra `fastapi`.

        `freshness` stands in for the guard's own policy on this route. Raises `SettingsError` where the issuer cannot be asked.
        """
        policy = None if isinstance(freshness, _OwnPolicy) else freshness
        self.check_freshness(policy)
        try:
            from revocast.sdk.integrations.fastapi import Required
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("guard.required needs FastAPI: install revocast[fastapi]") from error
        return Required(self, policy)

    def check_freshness(self, freshness: Policy | None) -> None:
        """Raise `SettingsError` or `ModuleNotFoundError` unless this policy can be kept."""
        if freshness not in (None, *get_args(Policy)):
            raise SettingsError(f"freshness: must be one of {', '.join(get_args(Policy))}")
        if freshness == "introspect":
            check_can_ask(self.settings, "freshness is introspect")

    # --- observing

    @property
    def state(self) -> State:
        """`starting`, `ready`, `stale`, `incomplete` or `closed`."""
        return self._core.state if self._core else State.STARTING

    def health(self) -> Health:
        """A snapshot: state and reason, positions, ages, counts, warnings. Raises `GuardNotReady` before the start."""
        health = self._started().health(self._clock())
        with self._refused_lock:
            refused = dict(self._refused)
        counted = {
            "refused": refused,
            "introspection": self._consulting.counters,
            "transition": dict(self._transitions),
        }
        if self._foreign is not None:
            counted["jwks"] = dict(self._foreign.counters)
            counted["unknown_kid"] = dict(self._foreign.misses)
        counters = {f"{of}.{name}": n for of, counts in counted.items() for name, n in counts.items()}
        foreign = self._foreign.health(self._clock()) if self._foreign is not None else {}
        return health.adding(
            counters, self._warnings().values(), self._source.origin, foreign, self._start_seconds
        )

    def on_change(self, watcher: Callable[[Transition], None]) -> None:
        """Call `watcher` at every change of state, on the guard's loop. What it raises is logged."""
        self._watchers.append(watcher)

    def table(self) -> tuple[Position | None, bytes]:
        """Where in the log the enforced table stands, and its canonical bytes: the same as issuer and streams hold there."""
        core = self._started()
        if self._background is None:
            return core.table()
        return self._background.call(_table_of(core))

    # --- life

    async def start(self) -> None:
        """Read everything; return once current. Raises `StartupTimeout`, which says what is missing.

        A guard that was stopped may be started again.
        """
        if self._task is not None and not self._task.done():
            raise RuntimeError("the guard has been started already")
        self._task = self._begin()
        waiting = asyncio.create_task(self._ready.wait())
        done, _ = await asyncio.wait(
            {self._task, waiting}, timeout=self.settings.startup_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        if waiting in done:
            if self._foreign is not None:
                await self._foreign.first()
            return
        if self.settings.mode == "shadow" and not self._task.done():
            logger.warning("not ready in time, and in shadow mode, so going on: %s", self._missing())
            return
        if self._task.done():
            self._task.result()  # a defect, not a wait: let it be seen
        missing = self._missing()
        await self.stop()
        raise StartupTimeout(f"{missing} (waited {self.settings.startup_timeout:g} s)")

    async def stop(self) -> None:
        """Judge no more, and let go of everything."""
        ready = self.state is State.READY
        if self._core is not None:
            self._core.close(self._clock())
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._source.close(ready=ready)
        await self._consulting.close()

    def _begin(self) -> asyncio.Task[None]:
        self._inherited = ""
        self._core, self._ready = None, asyncio.Event()
        self._began_at, self._start_seconds = self._clock().monotonic, None
        self._loop = asyncio.get_running_loop()
        tell_when_forked(self)
        return asyncio.create_task(self._live(), name="revocast guard")

    def after_fork(self) -> object:
        """In the child of a fork: judge nothing on what the parent knew. See `forking`."""
        inherited = (self._task, self._loop, self._background, self._source, self._consulting, self._foreign)
        if self._task is not None and not self._task.done():
            self._inherited = "thread" if self._background is not None else "loop"
        self._source.after_fork()
        self._background = None
        self._assemble()
        return inherited

    def _resume(self) -> None:
        """In the child of a fork, on first use: a thread of its own, as the parent had. Waits for it to be ready."""
        with self._resuming:
            if self._inherited != "thread":
                return
            self._background = BackgroundLoop()
            self._background.call(self._begin_and_wait())

    async def _begin_and_wait(self) -> None:
        self._task = self._begin()
        with contextlib.suppress(
            TimeoutError
        ):  # it goes on trying; until then there is no core, or one that is not ready
            async with asyncio.timeout(self.settings.startup_timeout):
                await self._ready.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        self._background = BackgroundLoop()
        try:
            self._background.call(self.start())
        except BaseException:
            self._end_thread(self._background)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._background is None:
            return  # the child of a fork leaves the parent's block
        try:
            self._background.call(self.stop())
        finally:
            self._end_thread(self._background)

    def _end_thread(self, background: BackgroundLoop) -> None:
        background.stop()
        self._background = None

    # --- inside

    def _judge(self, token: str, scopes: Collection[str], policy: Policy) -> Claims:
        core, now = self._started(), self._clock()
        if self._foreign is None:
            return core.verify(token, now, scopes, policy)
        return self._foreign.verify(core, token, now, scopes, policy)

    async def _judge_patiently(self, token: str, scopes: Collection[str], policy: Policy) -> Claims:
        try:
            return self._judge(token, scopes, policy)
        except (UnknownKey, IssuerUnavailable) as error:
            if self._foreign is None or error.refreshing is None:
                raise
            await self._on_own_loop(self._foreign.landing(error.refreshing))
        return self._judge(token, scopes, policy)

    def _foreign_keys(self) -> "ForeignKeys | None":
        if not self.settings.jwks:
            return None
        from revocast.sdk.jwks.foreign import ForeignKeys, check_can_fetch

        check_can_fetch()
        return ForeignKeys(self.settings, self._clock, self._take_foreign)

    async def _live(self) -> None:
        foreign = asyncio.create_task(self._foreign.run()) if self._foreign is not None else None
        try:
            self._adopt(await self._source.open())
            await self._source.run(self._replace, self._tick)
        finally:
            if foreign is not None:
                foreign.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await foreign

    def _adopt(self, core: GuardCore) -> None:
        core.watch(self._changed)
        self._core = core
        self._take_foreign()

    def _replace(self, core: GuardCore) -> None:
        if self._foreign is not None:
            core.take_foreign(self._foreign.keys)
        self._core = core  # one reference: each request is judged by the one or by the other

    def _take_foreign(self) -> None:
        if self._foreign is not None and self._core is not None:
            self._core.take_foreign(self._foreign.keys)

    def _tick(self, now: Instant) -> None:
        core = self._started()
        warnings = {**warnings_of(core.trust, core.freshness, now), **self._warnings()}
        self._journal.write(warnings, now.monotonic)

    def _warnings(self) -> dict[str, str]:
        found = {"recovery": self._source.recovering, "local copy": self._source.keeping_problem}
        if self.state is not State.READY:
            found["introspection"] = self._consulting.problem
        if self._foreign is not None:
            found |= self._foreign.warnings(self._core, self._clock())
        return {subject: warning for subject, warning in found.items() if warning}

    @property
    def _running(self) -> bool:
        """Whether it was started and not stopped: from then on the issuer may be asked."""
        if self._core is not None:
            return self._core.state is not State.CLOSED
        return self._task is not None and not self._task.done()

    async def _on_own_loop(self, work: Coroutine[Any, Any, T]) -> T:
        # Connections and questions belong to one loop; a guard in a thread of its own has another one than its callers.
        if self._loop in (None, asyncio.get_running_loop()):
            return await work
        assert self._loop is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _changed(self, transition: Transition) -> None:
        self._transitions[f"{transition.before}.{transition.after}"] += 1
        self._journal.transition(transition, self.settings.policy)
        if transition.after is State.READY:
            if self._start_seconds is None and self._task is not None:
                self._start_seconds = transition.at.monotonic - self._began_at
            self._ready.set()
        for watcher in self._watchers:
            try:
                watcher(transition)
            except Exception:
                logger.exception("a watcher of the guard's state failed")

    def _started(self) -> GuardCore:
        if self._inherited == "thread":
            self._resume()
        if self._core is None:
            raise GuardNotReady(
                "this process was forked after the guard was started: start it in each worker"
                if self._inherited
                else "it was not started, or does not know yet whom to trust"
            )
        return self._core

    def _missing(self) -> str:
        parts = [self._core.missing() if self._core else "the root is not pinned yet", self._source.problem]
        return "; ".join(part for part in parts if part)

    def _refuse(self, error: RevocastError, token: str) -> Claims:
        with self._refused_lock:
            self._refused[error.code] += 1
        if self.settings.mode == "enforce":
            raise error
        logger.info(
            "shadow: would have refused a token: %s", error.code, extra=facts(event="shadow", code=error.code)
        )
        try:
            # Authentic claims, or none: not even shadow mode hands out what no trusted key has signed.
            return self._started().verifier.authenticate(token)
        except RevocastError:
            return NO_CLAIMS


async def _table_of(core: GuardCore) -> tuple[Position | None, bytes]:
    return core.table()
