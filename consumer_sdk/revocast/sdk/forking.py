"""What a fork does to a guard: the child has its memory, but neither its threads nor a loop that runs. It would fall behind in silence.

So every guard that is running is told in the child, before anything else runs there. It begins from nothing, and what it has
inherited is never touched again: sockets and the loop's selector are the parent's, too.
"""

import os
import weakref
from typing import Final, Protocol

__all__ = ["tell_when_forked"]


class Forked(Protocol):
    """Something that must know that it is in a child now."""

    def after_fork(self) -> object:
        """Begin from nothing. What is returned is kept alive for ever."""
        ...


_running: Final[weakref.WeakSet[Forked]] = weakref.WeakSet()
_inherited: Final[list[object]] = []


def tell_when_forked(guard: Forked) -> None:
    """Tell `guard` in every child of this process from now on. Once is enough, and so is every time."""
    _running.add(guard)


def _in_child() -> None:
    for guard in list(_running):
        # Collected, its transports would take the parent's connections out of the selector that both share.
        _inherited.append(guard.after_fork())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
