"""A FastAPI service under load: what is left of its requests a second when tokens are judged."""

import asyncio
import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.benchmark import Benchmark, Run
from benchmarks.load import Load, generator, load
from benchmarks.peers.stores import redis_server
from benchmarks.serving import serving
from benchmarks.staging import producing, publish
from revocast.dev.broker import running_broker
from revocast.dev.broker.topics import create_topics
from revocast.schemas.topics import Topics
from revocast.testing import Authority

__all__ = ["BENCHMARK"]

_OPEN, _PYJWT = "no authentication", "PyJWT"
_APPS = {
    _OPEN: "open_to_all",
    "FastAPI's HTTPBearer, no check": "unchecked",
    _PYJWT: "pyjwt",
    "PyJWT + Redis": "pyjwt_redis",
    "guard, FastAPI dependency": "guarded",
    "guard, ASGI middleware": "behind_middleware",
}
_APP = "benchmarks.peers.service_app"
_REVOKED = 1000
_TOPICS = Topics("bench")


def measure(run: Run) -> None:
    """All services at once, of which one is asked at a time."""
    authority = Authority(alg="RS256", now=int(time.time()))
    authority.append([authority.block_row(authority.subject(f"user-{number}")) for number in range(_REVOKED)])
    authority.checkpoint()
    tokens = [
        authority.mint(sub=f"good-{number}", scope="read", lifetime=3000)
        for number in range(run.pick(10, 500, 500))
    ]
    with ExitStack() as stack:
        broker = stack.enter_context(running_broker(own=True, progress=run.say))
        asyncio.run(_stage(authority, broker.bootstrap))
        redis = stack.enter_context(redis_server())
        state = stack.enter_context(tempfile.TemporaryDirectory())
        environ = {
            "REVOCAST_ISSUER": authority.issuer,
            "REVOCAST_AUDIENCE": authority.audience,
            "REVOCAST_KAFKA": broker.bootstrap,
            "REVOCAST_PREFIX": _TOPICS.prefix,
            "REVOCAST_ROOT": authority.pin,
            "BENCH_JWK": json.dumps(dict(authority.active.public.jwk)),
            "BENCH_REDIS": str(redis),
        }
        ports = {
            name: stack.enter_context(
                serving(
                    f"{_APP}:{factory}",
                    "--factory",
                    path="/healthz",
                    environ={**environ, "REVOCAST_STATE_DIR": str(Path(state, factory))},
                )
            )
            for name, factory in _APPS.items()
        }
        found: dict[str, list[Load]] = {name: [] for name in _APPS}
        for number in range(-1, run.pick(1, 4, 20)):  # the first round is not counted
            for name, port in ports.items():
                run.say(f"{name}, round {number}")
                one = load(port, "/open" if name == _OPEN else "/whoami", tokens, run.pick(1, 2, 4))
                if number >= 0:
                    found[name].append(one)
    _report(run, found)
    run.note(f"The requests were made by {generator()}, over 32 connections, on the same machine.")


async def _stage(authority: Authority, kafka: str) -> None:
    await create_topics(_TOPICS, kafka)
    async with producing(kafka) as producer:
        await publish(authority, _TOPICS, producer)


def _report(run: Run, found: dict[str, list[Load]]) -> None:
    rates = run.group("Requests", "requests/s", baselines=(_OPEN, _PYJWT), higher_is_better=True)
    latencies = run.group("Latency, 99th percentile", "ms", baselines=(_OPEN, _PYJWT))
    for name, loads in found.items():
        for group, samples in (
            (rates, [each.rate for each in loads]),
            (latencies, [each.p99 for each in loads]),
        ):
            (group.ours if name.startswith("guard") else group.peer)(name, samples)


BENCHMARK = Benchmark(
    name="service",
    title="A FastAPI service under load",
    about=(
        f"One uvicorn process (uvloop, httptools) for each application, which differ only in how they judge tokens: not at all, with PyJWT, with PyJWT "
        f"and an asynchronous Redis `GET` on this host, and with the guard, which has {_REVOKED:,} revoked subjects. 500 tokens (RS256) take turns. "
        "FastAPI's own work for a dependency is most of what the guard seems to cost there: see `HTTPBearer` without a check, and the middleware."
    ),
    measure=measure,
    tried=(
        "The Authorization header was looked through for white space character by character, which took most of what the guard cost a request: it is looked through at once now.",
    ),
)
