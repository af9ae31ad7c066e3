"""What an HTTP answer says of its caching (RFC 9111), as far as a key set needs it. No I/O."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Answer", "freshness_lifetime"]

_SECONDS: Final = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` (None: unchanged), its validator (empty: none), and for how many seconds it is fresh (None: it did not say)."""

    body: bytes | None
    etag: str
    lifetime: float | None


def freshness_lifetime(cache_control: str, age: str) -> float | None:
    """Seconds from now, by the values of `Cache-Control` and `Age` (RFC 9111 §4.2, §5.1); None: the answer does not say.

    What must not be stored, or asks to be validated each time, is fresh for 0 s, and so is what says it wrongly (§4.2.1).
    """
    directives = [part.strip().lower().partition("=") for part in cache_control.split(",")]
    names = {name for name, _, _ in directives}
    if names & {"no-store", "no-cache"}:
        return 0.0
    ages = [value.strip('"') for name, _, value in directives if name == "max-age"]
    if not ages:
        return None
    if not _SECONDS.fullmatch(ages[0]) or len(set(ages)) > 1:
        return 0.0
    return float(max(0, int(ages[0]) - (int(age) if _SECONDS.fullmatch(age) else 0)))
