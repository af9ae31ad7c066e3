"""A guard that was started before a fork is never silently behind in the child."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from revocast.schemas.topics import Topics
from revocast.sdk import GuardNotReady, State, TokenRevoked
from revocast.sdk.base_lock import BaseLock
from revocast.testing import Authority
from tests.sdk.stage import stage, until
from tests.sdk.test_follower import guard_on, refuses


def in_child(work: Callable[[], object]) -> Callable[[], str]:
    """Fork; the child does `work` and ends. What is returned waits for its result as text."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = str(work())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(into, text.encode())
        os._exit(0)
    os.close(into)

    def result() -> str:
        text = b""
        while part := os.read(out, 4096):
            text += part
        os.close(out)
        os.waitpid(child, 0)
        return text.decode()

    return result


async def test_a_child_starts_a_guard_with_a_thread_of_its_own_again_and_learns_what_came_after_the_fork(
    kafka: str, prefix: str, topics: Topics, tmp_path: Path
) -> None:
    authority = Authority(now=int(time.time()))
    early, late, good = authority.mint(), authority.mint(), authority.mint()
    authority.revoke(early)
    authority.checkpoint()
    async with stage(authority, topics, kafka) as staged:
        guard = guard_on(kafka, authority, prefix, tmp_path)
        await asyncio.to_thread(guard.__enter__)
        go, begin = os.pipe()

        def child() -> str:
            os.read(go, 1)
            found = [refuses(guard, token) for token in (early, late, good)]
            claims = guard.verify(good)
            guard.__exit__(None, None, None)
            return f"{found} {claims.subject} {guard.state}"

        told = in_child(child)
        authority.revoke(late)
        authority.checkpoint()
        await staged.publish()
        os.write(begin, b"x")
        assert await asyncio.to_thread(told) == "[True, True, False] alice closed"
        await until(lambda: refuses(guard, late))
        assert guard.state is State.READY, "the parent has noticed nothing"
        await asyncio.to_thread(guard.__exit__, None, None, None)
        os.close(go)
        os.close(begin)


async def test_a_child_of_a_guard_on_a_loop_refuses_every_token_and_says_why(
    kafka: str, prefix: str, topics: Topics, tmp_path: Path
) -> None:
    authority = Authority(now=int(time.time()))
    token = authority.mint()
    async with stage(authority, topics, kafka), guard_on(kafka, authority, prefix, tmp_path) as guard:

        def child() -> str:
            try:
                guard.verify(token)
            except GuardNotReady as error:
                return f"{guard.state}: {error.reason}"
            return "accepted"

        told = await asyncio.to_thread(in_child(child))
        assert told.startswith("starting: this process was forked after the guard was started")
        assert guard.verify(token)


async def test_a_child_may_start_the_guard_of_a_parent_with_a_loop(
    kafka: str, prefix: str, topics: Topics, tmp_path: Path
) -> None:
    authority = Authority(now=int(time.time()))
    token = authority.mint()
    authority.revoke(token)
    authority.checkpoint()
    async with stage(authority, topics, kafka), guard_on(kafka, authority, prefix, tmp_path) as guard:

        def child() -> str:
            with guard:
                try:
                    guard.verify(token)
                except TokenRevoked as error:
                    return error.code
            return "accepted"

        # A thread of its own, because the child of a coroutine believes that a loop is running.
        assert await asyncio.to_thread(lambda: in_child(child)()) == "token_revoked"


def test_a_child_has_no_share_in_its_parents_lock(tmp_path: Path) -> None:
    lock = BaseLock(tmp_path / "lock")
    assert lock.try_acquire()

    def child() -> str:
        lock.after_fork()
        mine = BaseLock(tmp_path / "lock")
        return f"{lock.held} {mine.try_acquire()} {mine.contended}"

    assert in_child(child)() == "False False True"
    lock.release()
    assert BaseLock(tmp_path / "lock").try_acquire()
