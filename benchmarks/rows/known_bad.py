"""How many known-bad tokens each decoder of the other rows accepts: before its speed is quoted."""

import time

from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.peers.decoders import SIGNATURE, Decoder, Here, decoders
from benchmarks.peers.known_bad import ambiguous, known_bad
from revocast.schemas.jose import ALGORITHMS
from revocast.testing import Authority, Delivery, core_for

__all__ = ["BENCHMARK"]

_FORBIDDEN, _UNCLEAR, _OURS = "Forbidden tokens", "Ambiguous tokens", "guard"


def measure(run: Run) -> None:
    """Each decoder is shown a good one first: one that refuses everything would look safe."""
    for title, tokens in ((_FORBIDDEN, known_bad), (_UNCLEAR, ambiguous)):
        accepted: dict[str, dict[str, list[str]]] = {}
        asked = 0
        for alg in ALGORITHMS:
            authority = Authority(alg=alg, now=int(time.time()))
            bad = list(tokens(authority))
            asked += len(bad)
            with decoders(authority) as (peers, _):
                del peers[SIGNATURE]
                for name, way in {**peers, _OURS: _guard(authority)}.items():
                    assert _accepts(way, authority.mint()), f"{name} refuses a good {alg} token"
                    kinds = accepted.setdefault(name, {})
                    for what, token in bad:
                        if _accepts(way, token):
                            kinds.setdefault(what, []).append(alg)
        group = run.group(title, f"accepted, of {asked}")
        for name, kinds in accepted.items():
            (group.ours if name == _OURS else group.peer)(name, [sum(map(len, kinds.values()))])
            if kinds:
                run.note(f"{title}, {name} accepts: {_listed(kinds)}")


def _guard(authority: Authority) -> Decoder:
    core = core_for(authority)
    delivery = Delivery(authority, core)
    delivery.deliver()
    return Here(lambda token: core.verify(token, delivery.now))


def _accepts(way: Decoder, token: str) -> bool:
    try:
        way.decode(token)
    except BaseException as error:
        # A panic of a Rust extension is no `Exception`, and refuses, too.
        if isinstance(error, KeyboardInterrupt | SystemExit | ChildProcessError):
            raise
        return False
    return True


def _listed(kinds: dict[str, list[str]]) -> str:
    every = len(ALGORITHMS)
    return "; ".join(
        what if len(algs) == every else f"{what} ({', '.join(algs)})" for what, algs in kinds.items()
    )


BENCHMARK = Benchmark(
    name="known_bad",
    title="Known-bad tokens",
    about=(
        "Before a library's speed is quoted: which tokens does it accept? *Forbidden*: RFC 7515, 7518, 7519, 8725 or JSON (RFC 8259) "
        "do not allow them. *Ambiguous*: a decoder may take them, but two decoders read them in two ways, or a token gets a second name, "
        "which caches, logs and deny-lists trip over. Each library is called as in *Verification*: with one algorithm, an issuer and an audience. "
        "What it accepts is also work that it leaves out."
    ),
    measure=measure,
    targets=(
        Target("the guard accepts none that is forbidden", _FORBIDDEN, _OURS, at_most=0),
        # The other signature of ES256 is as good as the first; the guard names tokens by what is signed (T17).
        Target(
            "of the ambiguous, the guard accepts a second ES256 signature alone", _UNCLEAR, _OURS, at_most=1
        ),
    ),
)
