"""Files that decide whom a guard believes: nobody but its own user, or root, may have written them.

The guard makes its folder for itself alone. Where an operator names one that others can write to, what they leave there is not read.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_own"]


def open_own(path: Path) -> BinaryIO:
    """Open a file for reading. Raises `OSError`, saying why: also when it is no file, or not ours alone to write."""
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - whoever asked for it closes it
    if problem := _problem_with(os.fstat(file.fileno())):
        file.close()
        raise PermissionError(problem)
    return file


def _without_waiting(path: str, flags: int) -> int:
    # Somebody may have put a pipe there, which nobody writes to.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _problem_with(found: os.stat_result) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "it is no file"
    if hasattr(os, "geteuid") and (found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH):
        return "it belongs to another user, or others may write to it"
    return ""
