"""Threads verify while revocations are applied, as often as they can: is one ever missed, or a bystander refused?

`python -m tests.sdk.race --verifications 10000000` prints the figures.

Python changes threads every microsecond. Each user's token is blocked, blocked anew in one record with a lift, blocked by another
name instead, and lifted; now and then the keys are taken again, and a merge gives a new base. What must be answered is
said after each record, and taken back before the one that changes it.

This is the interpreter as it is, which changes threads at calls and loops only: it shows that nothing is grossly wrong. What an order
of two lines is worth is shown by the schedules in test_race.py, and their mistakes are hardly ever met here.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

from revocast.schemas.row import Row
from revocast.sdk.packed import PackedBase
from revocast.testing import Authority, Delivery, core_for
from tests.sdk.race_stories import accepts

__all__ = ["Figures", "race"]

_USERS: Final = 8
_KEYS_EVERY: Final = 50
_MERGE_EVERY: Final = 70


@dataclass
class Figures:
    """`overlapping` counts verifications during which something was being applied. `missed` and `refused` should be nothing."""

    seconds: float = 0
    verifications: int = 0
    overlapping: int = 0
    applied: int = 0
    missed: int = 0
    refused: int = 0


@dataclass(frozen=True, eq=False)
class _Word:
    """What is true from when it is given until it is taken back. None: it may be either."""

    accepted: bool | None


def race(verifications: int, threads: int = 3) -> Figures:
    """Verify so many times, in so many threads, while one more applies."""
    race = _Race()
    started = time.monotonic()
    readers = [_Reader(race, -(-verifications // threads)) for _ in range(threads)]
    with _changing_every_microsecond():
        for reader in readers:
            reader.start()
        race.apply_while(lambda: any(reader.is_alive() for reader in readers))
    figures = Figures(time.monotonic() - started, applied=race.step // 2)
    for reader in readers:
        reader.join()
        figures.verifications += reader.figures.verifications
        figures.overlapping += reader.figures.overlapping
        figures.missed += reader.figures.missed
        figures.refused += reader.figures.refused
    return figures


class _Race:
    """One core, who applies to it, and what must be answered. `step` is odd while something is being applied."""

    def __init__(self) -> None:
        self.authority = Authority()
        delivery = Delivery(self.authority, core_for(self.authority))
        delivery.deliver()
        self.core, self.now = delivery.core, delivery.now
        mint = self.authority.mint
        self.tokens = [mint(sub=f"user-{user}", sid=f"session-{user}") for user in range(_USERS)]
        self.tokens.append(mint(sub="bystander", sid="bystander's"))
        self.words = [_Word(accepted=True) for _ in self.tokens]
        self.step = 0

    def apply_while(self, going: Callable[[], bool]) -> None:
        """Go round the users."""
        for n in count():
            if not going():
                return
            self._round(n % _USERS)
            if n % _KEYS_EVERY == 0:
                self._do(self.core._take_keys)
            if n % _MERGE_EVERY == 0:
                self._merge()

    def _round(self, user: int) -> None:
        name, words = self.authority, self.words
        subject = name.block_row(name.subject(f"user-{user}"))
        session = name.block_row(name.session(f"session-{user}"))
        words[user] = _Word(accepted=None)
        self._take(subject)
        words[user] = _Word(accepted=False)
        self._take(_lift(subject), subject)
        self._take(_lift(subject), session)
        self._take(_lift(session), subject)
        words[user] = _Word(accepted=None)
        self._take(_lift(subject))
        words[user] = _Word(accepted=True)

    def _take(self, *rows: Row) -> None:
        authority = self.authority
        record = authority.position.next_record(
            rows, authority.now, delegations=authority.delegations, key_set=authority.key_set
        )
        authority.position = authority.position.after(record, bytes(32))
        self._do(lambda: self.core._take_record(record, bytes(32), self.now))

    def _merge(self) -> None:
        merge = self.core.verifier.denylist.merge()
        base = PackedBase.open(b"".join(merge), merge.index_bytes)
        self._do(lambda: self.core.adopt(base, self.authority.position))

    def _do(self, change: Callable[[], object]) -> None:
        self.step += 1
        change()
        self.step += 1


class _Reader(threading.Thread):
    def __init__(self, race: _Race, verifications: int) -> None:
        super().__init__()
        self.figures = Figures()
        self._race = race
        self._verifications = verifications

    def run(self) -> None:
        race, figures, users = self._race, self.figures, range(len(self._race.tokens))
        core, tokens, words, now = race.core, race.tokens, race.words, race.now
        while figures.verifications < self._verifications:
            for user in users:
                step, word = race.step, words[user]
                accepted = accepts(core, tokens[user], now)
                if words[user] is word and word.accepted not in (None, accepted):
                    figures.missed += accepted
                    figures.refused += not accepted
                figures.overlapping += step % 2 or step != race.step
                figures.verifications += 1


def _lift(row: Row) -> Row:
    return Row.for_lift(row.fingerprint, row.kind, row.slot)


@contextmanager
def _changing_every_microsecond() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sdk.race")
    parser.add_argument("--verifications", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=3)
    given = parser.parse_args(arguments)
    print(race(given.verifications, given.threads))


if __name__ == "__main__":
    main()
