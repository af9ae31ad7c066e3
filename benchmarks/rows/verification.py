"""Judging a token, with the deny-list consulted, beside decoders that consult nothing."""

from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.peers import decoders
from revocast.schemas.jose import ALGORITHMS
from revocast.testing import Authority, Delivery, core_for

__all__ = ["BENCHMARK"]

_TOKENS = 200
_REVOKED = 1000
_NEW, _SEEN = "guard, new token", "guard, seen before"


def _each(judge: Callable[[str], object], tokens: Sequence[str]) -> None:
    for token in tokens:
        judge(token)


def _fresh(tokens: Sequence[str]) -> list[str]:
    """The same texts in other objects, as every request brings them: Python has not hashed them yet."""
    return [token.encode().decode() for token in tokens]


def measure(run: Run) -> None:
    """Every algorithm, the seen ones apart: they are a thousand times as many in the same time."""
    for alg in ALGORITHMS:
        _measure(run, alg)


def _measure(run: Run, alg: str) -> None:
    authority = Authority(alg=alg)
    authority.append([authority.block_row(authority.subject(f"user-{number}")) for number in range(_REVOKED)])
    authority.checkpoint()
    core = core_for(authority)
    delivery = Delivery(authority, core)
    delivery.deliver()
    now = delivery.now
    tokens = [authority.mint(sub=f"good-{number}", scope="read write") for number in range(_TOKENS)]

    def verify(token: str) -> object:
        return core.verify(token, now)

    def anew() -> None:
        core.verifier.terms_changed()
        _each(verify, tokens)

    again: list[str] = []

    def arrive() -> None:
        again[:] = _fresh(tokens)

    peers, missing = decoders.decoders(authority.active.public, authority.issuer, authority.audience, alg)
    for why in missing:
        run.note(f"{alg}: {why}")
    group = run.group(alg, "µs a token", baselines=("PyJWT", _SEEN))
    group.take_turns(
        {name: partial(_each, decode, tokens) for name, decode in peers.items()},
        {_NEW: anew, _SEEN: partial(_each, verify, again)},
        rounds=run.pick(3, 25, 100),
        scale=1e6 / _TOKENS,
        before=arrive,
    )
    if alg == "RS256":
        run.profile_of(anew)


def _targets(alg: str) -> tuple[Target, Target]:
    return (
        Target(
            f"{alg}: a token seen before is judged at least 100 times as fast as PyJWT decodes it",
            group=alg,
            figure=_SEEN,
            at_most=0.01,
            of=("PyJWT",),
        ),
        Target(
            f"{alg}: a new one takes at most the fastest peer's full decode and 10 µs",
            group=alg,
            figure=_NEW,
            at_most=1,
            of=decoders.FULL,
            plus=10,
        ),
    )


BENCHMARK = Benchmark(
    name="verification",
    title="Verification",
    about=(
        f"A token under the whole profile (RFC 9068, `iss`, `aud`, times), with {_REVOKED:,} revoked subjects in the deny-list, beside "
        f"libraries that decode, verify the signature and look at `exp`, `aud` and `iss`, and at no deny-list. {_TOKENS} tokens a round. "
        "*Seen before*: the guard has verified the same text, which arrives in a new string, and looks at the deny-list, the keys and the time again. *Signature alone*: "
        "what `cryptography` takes for the signature, which is no decode."
    ),
    measure=measure,
    targets=tuple(target for alg in ALGORITHMS for target in _targets(alg)),
)
