"""What ends a file, and what is wrong with one line of it. No text repeats what was sent: it may be a token."""

from revocast.issuer.operators.problem import Problem

__all__ = ["BadLine", "Unreadable"]


class Unreadable(Problem):
    """Nothing more can be read of the file."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(422, code, detail)


class BadLine(Exception):
    """This line says nothing that can be written; the text says why."""
