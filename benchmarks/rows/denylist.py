"""The deny-list: what a look-up, a token's check, a row's memory and a merge cost, from a thousand rows to ten million."""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.benchmark import Benchmark, Run, Target
from benchmarks.peers.held import WAYS
from benchmarks.peers.tables import Find, in_a_set, in_lmdb, in_sqlite, mapped, write_table
from revocast.schemas.row import NEVER, ROW_SIZE, Row
from revocast.schemas.rows import Rows
from revocast.schemas.selector import FINGERPRINT_SIZE
from revocast.sdk.denylist import Absent, DenyList
from revocast.sdk.packed import PackedBase

__all__ = ["BENCHMARK"]

_LOOK_UPS = 20_000
_KINDS = (0, 2, 3, 4, 5, 6, 7)
_MILLIONS = 10_000_000
_OURS, _BARE = "deny-list", "deny-list without filter"
_MISS, _HIT = "A name that is not there", "A name that is there"
_CHECKS, _MEMORY, _MERGE, _APPLY = "A token's check", "Memory", "Merge", "A record of 1,000 rows"


@dataclass(slots=True)
class _Token:
    fingerprints: Mapping[int, bytes]
    issued_at: int = 100
    absent: Absent | None = None

    def fingerprint(self, kind: int) -> bytes | None:
        return self.fingerprints[kind]


def measure(run: Run) -> None:
    """Every size, the largest once more for memory and merging."""
    sizes = run.pick((1_000, 100_000), (1_000, 100_000, _MILLIONS), (1_000, 100_000, 1_000_000, _MILLIONS))
    with_peers = run.pick(100_000, 100_000, _MILLIONS)
    with tempfile.TemporaryDirectory() as folder:
        checks: dict[str, Callable[[], object]] = {}
        path, base = Path(folder), PackedBase.build()
        for count in sizes:
            run.say(f"{count:,} rows")
            path = Path(folder, f"{count}")
            write_table(path, count)
            base = PackedBase.build(mapped(path))
            _look_ups(run, path, base, count, peers=count <= with_peers)
            checks |= _checks(base, count)
        group = run.group(_CHECKS, "µs", baselines=(_check("first", 1_000),))
        group.take_turns({}, checks, rounds=run.pick(3, 9, 25), scale=1e6 / _LOOK_UPS)
        _records(run, base)
        _memory(run, path, sizes[-1])
        _merges(run, path, base, sizes[-1])


def _look_ups(run: Run, path: Path, base: PackedBase, count: int, *, peers: bool) -> None:
    ways: dict[str, Find] = {}
    if peers:
        ways = {
            "set": in_a_set(path),
            "SQLite": in_sqlite(path, path.parent),
            "LMDB": in_lmdb(path, path.parent),
        }
    bare = PackedBase.build(base.rows, with_filter=False)
    places = (random.randrange(count) * ROW_SIZE for _ in range(_LOOK_UPS))
    there = [base.rows[at : at + FINGERPRINT_SIZE] for at in places]
    elsewhere = [os.urandom(FINGERPRINT_SIZE) for _ in range(_LOOK_UPS)]
    for title, names in ((_MISS, elsewhere), (_HIT, there)):
        group = run.group(f"{title}, {count:,} rows", "µs", baselines=("set", "LMDB"))
        group.take_turns(
            {name: _each(find, names) for name, find in ways.items()},
            {_OURS: _each(base.find, names), _BARE: _each(bare.find, names)},
            rounds=run.pick(3, 9, 25),
            scale=1e6 / _LOOK_UPS,
        )


def _each(find: Find, names: Sequence[bytes]) -> Callable[[], None]:
    def look_up() -> None:
        for name in names:
            find(name)

    return look_up


def _check(which: str, count: int) -> str:
    return f"{which}, {count:,} rows"


def _checks(base: PackedBase, count: int) -> dict[str, Callable[[], object]]:
    denylist = DenyList(base, 1, 1)
    denylist.apply([Row.for_block(os.urandom(FINGERPRINT_SIZE), kind, NEVER) for kind in _KINDS], 1)
    tokens = [_Token({kind: os.urandom(FINGERPRINT_SIZE) for kind in _KINDS}) for _ in range(_LOOK_UPS)]

    def again() -> None:
        for token in tokens:
            denylist.refusal(token)

    def first() -> None:
        for token in tokens:
            token.absent = None
            denylist.refusal(token)

    return {_check("first", count): first, _check("again after a record", count): again}


def _records(run: Run, base: PackedBase) -> None:
    def record() -> bytes:
        return b"".join(Row.for_block(os.urandom(FINGERPRINT_SIZE), 4, NEVER).pack() for _ in range(1000))

    denylist = DenyList(base, 1, 1)
    samples = []
    for packed in [record() for _ in range(run.pick(5, 50, 50))]:
        started = time.perf_counter()
        denylist.apply(Rows(packed), 1)
        samples.append((time.perf_counter() - started) * 1e3)
    run.group(_APPLY, "µs a row").ours(f"checked and applied, {len(base):,} rows", samples)


def _memory(run: Run, path: Path, count: int) -> None:
    group = run.group(f"{_MEMORY}, {count:,} rows", "bytes a row", baselines=(WAYS[0],))
    for way in WAYS[:2] if count > run.pick(100_000, 1_000_000, _MILLIONS) else WAYS:
        command = [sys.executable, "-m", "benchmarks.peers.held", way, str(path)]
        taken = [int(subprocess.check_output(command)) / count for _ in range(run.pick(1, 1, 3))]
        (group.peer if way == "set" else group.ours)(way, taken)


def _merges(run: Run, path: Path, base: PackedBase, count: int) -> None:
    denylist = DenyList(base, 1, 1)
    while not denylist.wants_merge:
        denylist.apply([Row.for_block(os.urandom(FINGERPRINT_SIZE), 4, NEVER) for _ in range(1000)], 1)
    steps, whole = list[float](), list[float]()
    for _ in range(run.pick(1, 2, 5)):
        began = time.perf_counter()
        with path.with_suffix(".new").open("wb") as file:
            at = time.perf_counter()
            for rows in denylist.merge():
                file.write(rows)
                now = time.perf_counter()
                steps.append((now - at) * 1e3)
                at = now
        whole.append(time.perf_counter() - began)
    run.group(f"{_MERGE}, {count:,} rows", "s").ours("whole, written to a file", whole)
    run.group(f"{_MERGE}, {count:,} rows, a step", "ms", tail=True).ours("step", steps)


BENCHMARK = Benchmark(
    name="denylist",
    title="Deny-list",
    about=(
        "The packed base in a mapped file, with its index and filter, and the overlay. Names are random: each look-up goes to another place of the table, "
        f"which no cache holds at ten million rows. A token's check asks for {len(_KINDS)} kinds; *again* is what a token that is remembered costs after each further "
        "record. Memory is the resident set of a process of its own, all of it touched: workers on a host share the base, index and filter included, a set they do not."
    ),
    measure=measure,
    tried=(
        "A filter in front of the exact rows: kept, for it halves a look-up that finds nothing, and most find nothing; one that finds a row pays for it.",
        "Indexes of 21 and 22 bits, rows in memory of the process instead of a mapped file, huge pages: a look-up that finds a row became no faster. Half of it is waiting for memory that no cache holds.",
        "ADR 0018 has the figures.",
    ),
    targets=(
        *(
            Target(
                f"a look-up takes at most 1 µs at ten million rows: {words}",
                group=f"{title}, {_MILLIONS:,} rows",
                figure=_OURS,
                at_most=1,
            )
            for title, words in ((_MISS, "nothing found"), (_HIT, "found"))
        ),
        *(
            Target(
                f"a check at ten million rows takes at most twice that at a thousand: {which}",
                group=_CHECKS,
                figure=_check(which, _MILLIONS),
                at_most=2,
                of=(_check(which, 1_000),),
            )
            for which in ("first", "again after a record")
        ),
        Target(
            "at most 24 bytes a row in all at ten million",
            group=f"{_MEMORY}, {_MILLIONS:,} rows",
            figure=WAYS[1],
            at_most=24,
        ),
        Target(
            "a row is checked and applied within 1 µs",
            group=_APPLY,
            figure=f"checked and applied, {_MILLIONS:,} rows",
            at_most=1,
        ),
        Target(
            "a step of a merge takes at most 2 ms, 99 of 100",
            group=f"{_MERGE}, {_MILLIONS:,} rows, a step",
            figure="step",
            at_most=2,
            statistic="p99",
        ),
    ),
    limit_s=240.0,
)
