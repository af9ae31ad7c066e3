"""Writers have their turn in the order of asking."""

import threading

from revocast.issuer.storage.fair_lock import FairLock
from tests.issuer.core.test_group_commit import until


def test_who_asks_again_at_once_waits_behind_those_who_asked_before() -> None:
    lock, order = FairLock(), list[str]()

    def take(name: str) -> None:
        with lock:
            order.append(name)

    with lock:
        threads = []
        for count, name in enumerate(("first", "second", "third"), start=1):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            until(lambda count=count: len(lock._waiting) == count)  # type: ignore[misc]
    take("again")
    for thread in threads:
        thread.join()
    assert order == ["first", "second", "third", "again"]
