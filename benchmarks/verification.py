"""Judging a token, with the deny-list consulted, beside PyJWT's decode of the same token, which consults nothing."""

import time
from collections.abc import Callable
from statistics import median

import jwt
from jwt.types import Options
from rich.table import Table

from revocast.schemas.jose import ALGORITHMS
from revocast.testing import Authority, Delivery, core_for

__all__ = ["measure"]

_ROUNDS = 15
_CALLS = 300


def measure() -> Table:
    """Medians of 15 rounds of 300 tokens, the ways taken in turn in every round."""
    table = Table(
        title="Verification: microseconds a token, median of 15 rounds; 1,000 revoked subjects in the deny-list"
    )
    for column in (
        "",
        "PyJWT decode",
        "guard, new token",
        "guard, seen before",
        "new / PyJWT",
        "PyJWT / seen",
    ):
        table.add_column(column, justify="right" if column else "left")
    for alg in ALGORITHMS:
        decode, new, seen = _measure(alg)
        table.add_row(
            alg, f"{decode:.1f}", f"{new:.1f}", f"{seen:.2f}", f"{new / decode:.2f}", f"{decode / seen:.0f}"
        )
    return table


def _measure(alg: str) -> tuple[float, float, float]:
    authority = Authority(alg=alg)
    authority.append([authority.block_row(authority.subject(f"user-{number}")) for number in range(1000)])
    authority.checkpoint()
    core = core_for(authority)
    delivery = Delivery(authority, core)
    delivery.deliver()
    now = delivery.now
    tokens = [authority.mint(sub=f"good-{number}") for number in range(_CALLS)]
    public = jwt.PyJWK(dict(authority.active.public.jwk)).key
    options: Options = {"verify_exp": False, "verify_iat": False}  # the simulator's clock is not today's

    def decode(token: str) -> object:
        return jwt.decode(token, public, [alg], options, audience=authority.audience, issuer=authority.issuer)

    def verify(token: str) -> object:
        return core.verify(token, now)

    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    for _ in range(_ROUNDS):
        core.verifier.terms_changed()  # every remembered token is new again
        for collected, judge in zip(times, (decode, verify, verify), strict=True):
            collected.append(_microseconds(judge, tokens))
    return median(times[0]), median(times[1]), median(times[2])


def _microseconds(judge: Callable[[str], object], tokens: list[str]) -> float:
    started = time.perf_counter()
    for token in tokens:
        judge(token)
    return (time.perf_counter() - started) / len(tokens) * 1e6
