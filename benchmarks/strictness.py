"""What strictness costs: a token under the whole profile beside lenient decoders, and a record of the log at its readers.

`lenient` is what one would write by hand on the same library: split, decode, parse, verify, look at `exp` and `aud`. Medians;
the ways are taken in turn in every round.
"""

import base64
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import jwt
from jwt.types import Options
from rich.console import Group
from rich.table import Table

from revocast.schemas.events import Envelope
from revocast.schemas.jose import ALGORITHMS
from revocast.schemas.trust import Trust
from revocast.sdk.core import GuardCore, Received
from revocast.sdk.freshness import Topic
from revocast.sdk.profile import authenticate
from revocast.streams.follower import Follower
from revocast.testing import Authority, Delivery, core_for

__all__ = ["measure"]

_ROUNDS = 15
_COUNT = 300


def measure() -> Group:
    """Tokens, then records."""
    return Group(_tokens(), _records())


# --- tokens


def _tokens() -> Table:
    table = _table(
        f"A token that is new to the guard: microseconds, median of {_ROUNDS} rounds of {_COUNT}",
        ["signature alone", "lenient", "PyJWT decode", "strict", "strict / lenient", "strict / PyJWT"],
    )
    for alg in ALGORITHMS:
        authority = Authority(alg=alg)
        core = core_for(authority)
        Delivery(authority, core).deliver()
        ways = [_signature(authority), _lenient(authority), _pyjwt(authority), _strict(core)]
        tokens = [authority.mint(sub=f"user-{number}", scope="read write") for number in range(_COUNT)]
        times: list[list[float]] = [[] for _ in ways]
        for _ in range(_ROUNDS):
            for collected, way in zip(times, ways, strict=True):
                collected.append(_microseconds(partial(_each, way, tokens)))
        bare, lenient, pyjwt, strict = map(median, times)
        _row(table, alg, [bare, lenient, pyjwt, strict], [strict / lenient, strict / pyjwt])
    return table


def _each(way: Callable[[str], object], tokens: Sequence[str]) -> None:
    for token in tokens:
        way(token)


def _signature(authority: Authority) -> Callable[[str], object]:
    key = authority.active.public

    def judge(token: str) -> object:
        head, _, tail = token.rpartition(".")
        assert key.verify(head.encode(), _decoded(tail))
        return None

    return judge


def _lenient(authority: Authority) -> Callable[[str], object]:
    key = authority.active.public

    def judge(token: str) -> object:
        head, _, tail = token.rpartition(".")
        header, _, payload = head.partition(".")
        assert json.loads(_decoded(header))["alg"]
        assert key.verify(head.encode(), _decoded(tail))
        claims = json.loads(_decoded(payload))
        assert claims["exp"] > authority.now
        assert claims["aud"] == authority.audience
        return claims

    return judge


def _pyjwt(authority: Authority) -> Callable[[str], object]:
    public = authority.active.public
    key = jwt.PyJWK(dict(public.jwk)).key
    options: Options = {"verify_exp": False, "verify_iat": False}  # the simulator's clock is not today's
    aud, iss = authority.audience, authority.issuer
    return lambda token: jwt.decode(token, key, [public.alg], options, audience=aud, issuer=iss)


def _strict(core: GuardCore) -> Callable[[str], object]:
    verifier = core.verifier
    return lambda token: authenticate(token, verifier.keyring, verifier.profile)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- records


def _records() -> Table:
    table = _table(
        f"A record of the log: microseconds, median of {_ROUNDS} rounds of {_COUNT} (1,000 rows: of {_COUNT // 10})",
        ["signature alone", "guard", "streams", "guard / signature", "streams / signature"],
    )
    for rows, count in ((1, _COUNT), (1000, _COUNT // 10)):
        authority = Authority()
        for number in range(count):
            selectors = [authority.subject(f"{number}/{row}") for row in range(rows)]
            authority.append([authority.block_row(selector) for selector in selectors])
        ways = [_signatures, _guard, _streams]
        times: list[list[float]] = [[] for _ in ways]
        for _ in range(_ROUNDS):
            for collected, way in zip(times, ways, strict=True):
                collected.append(_microseconds(way(authority)) * _COUNT / len(authority.log))
        bare, guard, streams = map(median, times)
        _row(
            table,
            f"{rows:,} row{'s' * (rows > 1)} a record",
            [bare, guard, streams],
            [guard / bare, streams / bare],
        )
    return table


def _signatures(authority: Authority) -> Callable[[], object]:
    key = authority.event_key.public
    envelopes = [Envelope.parse(message.value) for message in authority.log if message.value is not None]
    return lambda: [key.verify(each.signing_input, each.signature) for each in envelopes]


def _guard(authority: Authority) -> Callable[[], object]:
    """A core that knows the keys, and is handed the log as the Kafka follower hands it over."""
    core = core_for(authority)
    delivery = Delivery(authority, core)
    delivery.feed(Topic.KEYS)
    received = [Received(message.offset, message.value) for message in authority.log]
    return lambda: core.receive(Topic.LOG, received, delivery.now)


def _streams(authority: Authority) -> Callable[[], object]:
    """The chain's follower, which also makes the frames."""
    trust = Trust(authority.issuer, authority.pin)
    for message in authority.keys:
        trust.receive(message.value, message.offset)
    follower = Follower(trust, None)
    return lambda: [follower.receive(each.value, 0.0, each.offset) for each in authority.log]


# --- both


def _microseconds(work: Callable[[], Any]) -> float:
    """For each of `_COUNT`."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / _COUNT * 1e6


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title)
    for column in ("", *columns):
        table.add_column(column, justify="right" if column else "left")
    return table


def _row(table: Table, name: str, times: Sequence[float], ratios: Sequence[float]) -> None:
    table.add_row(name, *(f"{each:.1f}" for each in times), *(f"{each:.2f}" for each in ratios))
