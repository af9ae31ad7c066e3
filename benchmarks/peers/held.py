"""`python -m benchmarks.peers.held WAY FILE`: hold a table in this process and print what that takes, in bytes.

The resident set, after less before: a page of a mapped file counts whole, however many processes share it.
"""

import gc
import os
import sys
from pathlib import Path

from benchmarks.peers.tables import in_a_set, mapped
from revocast.schemas.row import NEVER, Row
from revocast.sdk.denylist import DenyList
from revocast.sdk.packed import PackedBase

__all__ = ["WAYS"]

WAYS = ("packed base", "packed base and the fullest overlay", "set")


def _rss() -> int:
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise OSError("no Rss in smaps_rollup")


def _overlay(denylist: DenyList) -> None:
    n = 1
    while not denylist.wants_merge:
        n += 1
        denylist.apply([Row.for_block(os.urandom(11), 4, NEVER) for _ in range(1000)], 1, n)


def main(way: str, path: Path) -> None:
    """Hold it, touch all of it, and say what it takes."""
    assert way in WAYS
    before = _rss()
    held: object
    if way == "set":
        held = in_a_set(path)
    else:
        rows = mapped(path)
        denylist = DenyList(PackedBase.build(rows), 1, 1)
        for start in range(0, len(rows), 4096):
            rows[start]
        if way != WAYS[0]:
            _overlay(denylist)
        held = denylist
    print(_rss() - before)
    del held


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
