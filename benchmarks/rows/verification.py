"""Judging a token, with the deny-list consulted, beside decoders that consult nothing."""

import time
from collections.abc import Callable, Sequence

from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.peers.decoders import FULL, decoders
from benchmarks.turns import Seconds
from revocast.schemas.jose import ALGORITHMS
from revocast.sdk.core import GuardCore
from revocast.sdk.instant import Instant
from revocast.sdk.signatures import Signatures
from revocast.testing import Authority, Delivery, core_for

__all__ = ["BENCHMARK"]

_TOKENS = 200
_PASSES = 20  # of those seen before: a few microseconds would be lost in what the others leave in the caches
_REVOKED = 1000
_NEW, _TINK, _SEEN = "guard, new token", "guard with Tink, new token", "guard, seen before"


def _fresh(tokens: Sequence[str]) -> list[str]:
    """The same texts in other objects, as every request brings them: Python has not hashed them yet."""
    return [token.encode().decode() for token in tokens]


def measure(run: Run) -> None:
    """Every algorithm."""
    for alg in ALGORITHMS:
        _measure(run, alg)


def _measure(run: Run, alg: str) -> None:
    authority = Authority(alg=alg, now=int(time.time()))  # the peers look at the clock
    authority.append([authority.block_row(authority.subject(f"user-{number}")) for number in range(_REVOKED)])
    authority.checkpoint()
    tokens = [authority.mint(sub=f"good-{number}", scope="read write") for number in range(_TOKENS)]
    core, now = _current(authority, "cryptography")
    again: list[str] = []

    def arrive() -> None:
        again[:] = _fresh(tokens * _PASSES)

    def seen() -> Seconds:
        verify = core.verify
        started = time.perf_counter()
        for token in again:
            verify(token, now)
        return Seconds((time.perf_counter() - started) / _PASSES)

    ours = {_NEW: _anew(core, now, tokens)}
    try:
        ours[_TINK] = _anew(*_current(authority, "tink"), tokens)
    except ModuleNotFoundError as error:
        run.note(f"{error}.")

    group = run.group(alg, "µs a token", baselines=("PyJWT", _SEEN))
    with decoders(authority) as (peers, missing):
        group.take_turns(
            {name: decoder.turn(tokens) for name, decoder in peers.items()},
            {**ours, _SEEN: seen},
            rounds=run.pick(3, 25, 100),
            scale=1e6 / _TOKENS,
            before=arrive,
        )
    for why in missing:
        run.note(why)
    run.profile_of(ours[_NEW], alg)


def _current(authority: Authority, signatures: Signatures) -> tuple[GuardCore, Instant]:
    core = core_for(authority, signatures=signatures)
    delivery = Delivery(authority, core)
    delivery.deliver()
    return core, delivery.now


def _anew(core: GuardCore, now: Instant, tokens: Sequence[str]) -> Callable[[], None]:
    def anew() -> None:
        core.verifier.terms_changed()
        verify = core.verify
        for token in tokens:
            verify(token, now)

    return anew


def _targets(alg: str) -> tuple[Target, ...]:
    return (
        Target(
            f"{alg}: a token seen before is judged at least 100 times as fast as PyJWT decodes it",
            group=alg,
            figure=_SEEN,
            at_most=0.01,
            of=("PyJWT",),
        ),
        *(
            Target(
                f"{alg}: {figure}: at most the fastest peer's full decode and 10 µs",
                group=alg,
                figure=figure,
                at_most=1,
                of=FULL,
                plus=10,
            )
            for figure in (_NEW, _TINK)
        ),
    )


BENCHMARK = Benchmark(
    name="verification",
    title="Verification",
    about=(
        f"A token under the whole profile (RFC 9068, `iss`, `aud`, times), with {_REVOKED:,} revoked subjects in the deny-list, beside "
        f"libraries that decode, verify the signature and look at `exp`, `aud` and `iss`, and at no deny-list. {_TOKENS} tokens a round. "
        "*Seen before*: the guard has verified the same text, which arrives in a new string, and looks at the deny-list, the keys and the time again. *Signature alone*: "
        "what `cryptography` takes for the signature, which is no decode. "
        "*With Tink*: `REVOCAST_SIGNATURES=tink`."
    ),
    measure=measure,
    tried=(
        (
            "Other libraries for the signature, of which Tink became the extra `tink`: [ADR 0026](adr/0026-signature-backends.md). What is left beside it is "
            "Python: strict base64url and JSON, the profile, the fingerprints, the memory of what was verified."
        ),
    ),
    targets=tuple(target for alg in ALGORITHMS for target in _targets(alg)),
)
