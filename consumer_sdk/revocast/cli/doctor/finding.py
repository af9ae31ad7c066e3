"""What one check has found."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Verdict", "fail", "ok", "warn"]


class Verdict(StrEnum):
    """From good to bad."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` names what was looked at, `says` what was found, and `mend` what to do about it. Neither holds a secret."""

    check: str
    verdict: Verdict
    says: str
    mend: str = ""


def ok(check: str, says: str) -> Finding:
    """As it should be."""
    return Finding(check, Verdict.OK, says)


def warn(check: str, says: str, mend: str) -> Finding:
    """The service would work, and somebody should look at it."""
    return Finding(check, Verdict.WARN, says, mend)


def fail(check: str, says: str, mend: str) -> Finding:
    """The service would not work, or not protect."""
    return Finding(check, Verdict.FAIL, says, mend)
