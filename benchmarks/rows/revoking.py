"""Acknowledged revocations a second, by callers at the same time: sharing records, beside a transaction for each."""

import itertools
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from benchmarks.benchmark import Benchmark, Run, Target
from revocast.issuer.authority.grouping import Request
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.bootstrap import Home, Plan, init
from revocast.issuer.clock import wall_clock
from revocast.issuer.keystore import SealedKeys
from revocast.issuer.publication import Publication
from revocast.issuer.revoking import RevocationDesk
from revocast.issuer.service import Service
from revocast.issuer.storage import Storage
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector

__all__ = ["BENCHMARK"]

_ISSUER = "https://issuer.example"
_CALLERS = (1, 8, 64)
_ALONE = "a lone one"
_SHARED, _EACH = "sharing records", "a transaction each"


def measure(run: Run) -> None:
    """Each in its turn, on a SQLite file of its own."""
    numbers = itertools.count()
    with tempfile.TemporaryDirectory(prefix="revocast-bench-") as folder:
        home = Home(Path(folder) / "home")
        init(home, Plan(_ISSUER))
        with closing(Storage(home.database_url)) as storage:
            service = Service(storage, SealedKeys.from_file(home.master_key), Publication())
            desk = RevocationDesk(storage, Publication(), wall_clock)

            def revocation() -> Revocation:
                return Revocation(Selector.token(_ISSUER, f"jti-{next(numbers)}"), Slot.BLOCK)

            def shared() -> None:
                service.revoke([revocation()], [], actor="bench", reason="")

            def each() -> None:
                desk._write([Request((revocation(),), (), "bench", "")])

            for callers in _CALLERS:
                group = run.group(
                    f"{callers} at the same time", "revocations/s", baselines=(_EACH,), higher_is_better=True
                )
                rounds, writes = run.pick(1, 5, 15), run.pick(50, 200, 500)
                samples = [
                    (_rate(each, callers, writes), _rate(shared, callers, writes)) for _ in range(rounds)
                ]
                group.peer(_EACH, [other for other, _ in samples])
                group.ours(_SHARED, [ours for _, ours in samples])
            alone = run.group(_ALONE, "ms", baselines=(_EACH,), tail=True)
            times = [(_took(each), _took(shared)) for _ in range(run.pick(20, 200, 1000))]
            alone.peer(_EACH, [other for other, _ in times])
            alone.ours(_SHARED, [ours for _, ours in times])


def _rate(write: Callable[[], None], callers: int, writes: int) -> float:
    with ThreadPoolExecutor(callers) as pool:
        began = time.perf_counter()
        for done in [pool.submit(write) for _ in range(writes)]:
            done.result()
        return writes / (time.perf_counter() - began)


def _took(write: Callable[[], None]) -> float:
    began = time.perf_counter()
    write()
    return (time.perf_counter() - began) * 1000


BENCHMARK = Benchmark(
    name="revoking",
    title="Revocations a second",
    about=(
        "Threads call the issuer's service, on SQLite, with a commit on disk for every answer; no HTTP and no Kafka. Sharing: who comes "
        "while a transaction runs is written with the others by the next. Each: the same code with groups of one."
    ),
    measure=measure,
    targets=(
        Target(
            "64 callers: at least 3 times a transaction each",
            "64 at the same time",
            _SHARED,
            at_least=3,
            of=(_EACH,),
        ),
        Target("a lone one is not delayed", _ALONE, _SHARED, at_most=1.1, of=(_EACH,)),
    ),
)
