"""From a token to "good and not revoked": the ways there are, with a hundred thousand revoked."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import httpx
import jwt

from benchmarks.benchmark import Benchmark, Run
from benchmarks.peers.decoders import Here
from benchmarks.peers.issuer import running_issuer
from benchmarks.peers.stores import IsRevoked, lmdb_store, redis_store, sqlite_store
from benchmarks.serving import serving
from revocast.dev.broker import running_broker
from revocast.schemas.record import MAX_ROWS
from revocast.schemas.selector import Selector
from revocast.testing import Authority, InMemoryGuard

__all__ = ["BENCHMARK"]

_TOKENS = 50
_GROUP = "RS256, 100,000 revoked tokens"
_NEW, _SEEN = "guard, new token", "guard, seen before"
_PYJWT, _REDIS, _ASKED = "PyJWT, no check", "PyJWT + Redis", "introspection at the issuer"


def measure(run: Run) -> None:
    """Everything in turn, the issuer being asked over HTTP included."""
    authority = Authority(alg="RS256", now=int(time.time()))
    revoked = [f"revoked-{number}" for number in range(run.pick(2_000, 100_000, 100_000))]
    for start in range(0, len(revoked), MAX_ROWS):
        selectors = [Selector.token(authority.issuer, jti) for jti in revoked[start : start + MAX_ROWS]]
        authority.append([authority.block_row(selector) for selector in selectors])
    authority.checkpoint()
    guard = InMemoryGuard(authority)
    tokens = [authority.mint(sub=f"good-{number}") for number in range(_TOKENS)]
    again: list[str] = []
    new, seen = Here(guard.verify).turn(tokens), Here(guard.verify).turn(again)

    def anew() -> None:
        guard.delivery.core.verifier.terms_changed()
        new()

    with ExitStack() as stack:
        stores: dict[str, IsRevoked] = {
            "PyJWT + SQLite": stack.enter_context(sqlite_store(revoked)),
            "PyJWT + LMDB": stack.enter_context(lmdb_store(revoked)),
            _REDIS: stack.enter_context(redis_store(revoked)),
        }
        assert all(store("revoked-7") and not store("good-7") for store in stores.values())
        decode = _pyjwt(authority)
        peers = {_PYJWT: Here(decode).turn(tokens)}
        peers |= {name: Here(_checked(decode, store)).turn(tokens) for name, store in stores.items()}
        broker = stack.enter_context(running_broker(own=True, progress=run.say))
        issuer = stack.enter_context(running_issuer(run, broker))
        http = stack.enter_context(issuer.asking())
        port = stack.enter_context(serving("benchmarks.peers.always_active:app"))
        floor = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("id", "secret")))
        peers["introspection, an endpoint that only says yes"] = _introspecting(floor, tokens)
        peers[_ASKED] = _introspecting(http, [issuer.mint(f"good-{number}") for number in range(_TOKENS)])

        def arrive() -> None:
            again[:] = [token.encode().decode() for token in tokens]

        group = run.group(_GROUP, "µs a token", baselines=(_REDIS, _SEEN))
        group.take_turns(
            peers,
            {_NEW: anew, _SEEN: seen},
            rounds=run.pick(2, 11, 50),
            scale=1e6 / _TOKENS,
            before=arrive,
        )


def _pyjwt(authority: Authority) -> Callable[[str], dict[str, Any]]:
    key = jwt.PyJWK(dict(authority.active.public.jwk)).key
    aud, iss = authority.audience, authority.issuer
    return lambda token: jwt.decode(token, key, ["RS256"], audience=aud, issuer=iss)


def _checked(decode: Callable[[str], dict[str, Any]], is_revoked: IsRevoked) -> Callable[[str], object]:
    def judge(token: str) -> object:
        claims = decode(token)
        if is_revoked(claims["jti"]):
            raise PermissionError("revoked")
        return claims

    return judge


def _introspecting(http: httpx.Client, tokens: Sequence[str]) -> Callable[[], None]:
    def ask() -> None:
        for token in tokens:
            assert http.post("/oauth/introspect", data={"token": token}).json()["active"]

    return ask


BENCHMARK = Benchmark(
    name="checking",
    title="Verification with a revocation check",
    about=(
        "From a token to *good and not revoked*. Redis on this host over a connection that stays open, SQLite and LMDB on this host's disk; "
        "introspection (RFC 7662) over HTTP on this host, keep-alive, with `httpx`: the real issuer hashes the client's secret with argon2id every time. None of these looks for anything but "
        "the token: users, sessions, clients and grants, which the guard consults too, would be a look-up each. In a real network "
        "Redis and introspection take a round trip more."
    ),
    measure=measure,
)
