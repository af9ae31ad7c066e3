"""How many known-bad tokens each decoder of the other rows accepts: before its speed is quoted."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.peers.decoders import SIGNATURE, Decoder, Here, decoders
from benchmarks.peers.known_bad import ambiguous, known_bad
from revocast.schemas.jose import ALGORITHMS
from revocast.sdk.signatures import Signatures
from revocast.testing import Authority, Delivery, core_for

__all__ = ["BENCHMARK"]

_FORBIDDEN, _UNCLEAR = "Forbidden tokens", "Ambiguous tokens"
_OURS: Final[dict[str, Signatures]] = {"guard": "cryptography", "guard with Tink": "tink"}


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
                for name, way in {**peers, **dict(_guards(authority))}.items():
                    assert _accepts(way, authority.mint()), f"{name} refuses a good {alg} token"
                    kinds = accepted.setdefault(name, {})
                    for what, token in bad:
                        if _accepts(way, token):
                            kinds.setdefault(what, []).append(alg)
        group = run.group(title, f"accepted, of {asked}")
        for name, kinds in accepted.items():
            (group.ours if name in _OURS else group.peer)(name, [sum(map(len, kinds.values()))])
            if kinds:
                run.note(f"{title}, {name} accepts: {_listed(kinds)}")


def _guards(authority: Authority) -> Iterator[tuple[str, Decoder]]:
    for name, signatures in _OURS.items():
        try:
            core = core_for(authority, signatures=signatures)
        except ModuleNotFoundError:
            continue
        delivery = Delivery(authority, core)
        delivery.deliver()
        yield name, Here(partial(core.verify, now=delivery.now))


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
    # The other signature of ES256 is as good as the first: the guard names tokens by what is signed (T17).
    targets=tuple(
        target
        for name in _OURS
        for target in (
            Target(f"{name} accepts none that is forbidden", _FORBIDDEN, name, at_most=0),
            Target(
                f"of the ambiguous, {name} accepts a second ES256 signature alone", _UNCLEAR, name, at_most=1
            ),
        )
    ),
)
