"""One foreign issuer's keys: the state machine. No I/O; `now` is monotonic seconds.

* **Refresh ahead.** A set is fresh as long as its answer says (RFC 9111), within `MIN_FRESH` and `MAX_FRESH`. It is fetched again
  after 60 to 80 % of that, drawn for each guard, so requests never wait for it and a fleet does not come at one moment.
* **One flight** at a time: `begin`, then `took`, `unchanged` or `failed`.
* **Outage.** What failed is tried again, ever more slowly and with jitter. Keys stay in use for `outage` seconds after the set went
  out of date, then they are not `usable`: whoever cannot ask cannot know whether they are still the issuer's.
* **A kid that is not there** asks for a refresh, of which there are `AT_ONCE`, and one more every `EVERY` seconds, whoever makes up how
  many kids. A kid that a whole flight did not bring is absent for `ABSENT_FOR` seconds, and asks for nothing.
* **The set is the issuer's word.** A key that it does not name any more is gone at once (OpenID Connect Core §10.1.1: issuers keep
  naming retired keys for as long as they are good). No key in it: none is good.
* **A kid means one key for ever.** If it comes with other material, the earlier key stays, or none, if it had left the set.

What was revoked in the deployment's own key set or on its log is refused whatever stands here (core.py, keyring.py).
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from revocast.schemas.jose import PublicKey, thumbprint
from revocast.sdk.backoff import Backoff
from revocast.sdk.jwks.document import Document

__all__ = ["KeySource", "Miss", "SourceHealth"]

MIN_FRESH: Final = 60.0
MAX_FRESH: Final = 900.0
USUAL_FRESH: Final = 300.0
"""Where the answer does not say."""
AT_ONCE: Final = 2
EVERY: Final = 30.0
ABSENT_FOR: Final = 60.0
_MAX_ABSENT: Final = 1024
_MAX_ASKED: Final = 256
_MAX_PINS: Final = 1024
_FIRST_RETRY: Final = 1.0
_LAST_RETRY: Final = 60.0


class Miss(Enum):
    """What a token under an unknown kid comes to."""

    REFRESHING = auto()
    """A refresh is under way, or begins now, that may bring the key."""
    NOT_NOW = auto()
    """Too many refreshes were asked for, or the issuer does not answer."""
    ABSENT = auto()
    """The issuer was asked a moment ago, and does not have it."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """`age` since the set was last confirmed, `usable_for` from now and `next_refresh` from now are seconds (None: never fetched).

    `failures` counts those in a row, of which `last_error` is the last. `refused` counts keys in the set that should not be there,
    `changed` those that came under an old kid with new material.
    """

    usable: bool
    keys: int
    age: float | None
    usable_for: float | None
    next_refresh: float
    failures: int
    last_error: str
    refused: int
    changed: int


class KeySource:
    """`outage` in seconds. `rand` draws from [0, 1)."""

    def __init__(self, outage: float, now: float, rand: Callable[[], float] = random.random) -> None:
        self.keys: dict[str, PublicKey] = {}
        """The keys in force, by kid; replaced as a whole."""
        self.due = now
        """When to fetch."""
        self.failures = 0
        self.last_error = ""
        self.in_flight = False
        self._outage = outage
        self._rand = rand
        self._backoff = Backoff(_FIRST_RETRY, _LAST_RETRY, rand=rand)
        self._confirmed_at: float | None = None
        self._fresh_until = now
        self._refused: Mapping[str, int] = {}
        self._changed = 0
        self._pins: dict[str, str] = {}
        self._asked: set[str] = set()
        self._flying: set[str] = set()
        self._absent: dict[str, float] = {}
        self._level = float(AT_ONCE)
        self._filled_at = now

    # --- fetching

    def begin(self, now: float) -> None:
        """The set is being fetched."""
        assert not self.in_flight, "one flight at a time"
        self.in_flight = True
        self._flying, self._asked = self._asked, set()

    def took(self, document: Document, lifetime: float | None, now: float) -> bool:
        """The set came, fresh for `lifetime` seconds (None: it did not say). Whether the keys are others than before."""
        before = self.keys
        self.keys = self._pinned(document.keys)
        self._refused = document.refused
        self._confirmed(lifetime, now)
        return self.keys != before

    def unchanged(self, lifetime: float | None, now: float) -> None:
        """The set is the one that came before (RFC 9110 §15.4.5)."""
        self._confirmed(lifetime, now)

    def failed(self, why: str, now: float) -> None:
        """No set came. `why` for people."""
        self.in_flight = False
        self.failures += 1
        self.last_error = why
        self.due = now + self._backoff.next()

    def abandoned(self, now: float) -> None:
        """Nobody waits for the flight any more: the guard was stopped."""
        self.in_flight, self.due = False, now

    # --- asking

    @property
    def tried(self) -> bool:
        """Whether a set came, or failed to come."""
        return self._confirmed_at is not None or self.failures > 0

    def usable(self, now: float) -> bool:
        """Whether the keys may be judged by."""
        return self._confirmed_at is not None and now < self._fresh_until + self._outage

    def missed(self, kid: str, now: float) -> Miss:
        """A token names a kid that is not there. Pulls `due` to now if that is worth a refresh."""
        if self._absent.get(kid, now) > now:
            return Miss.ABSENT
        if not self.in_flight and self.due > now:
            if self.failures or not self._take(now):
                return Miss.NOT_NOW
            self.due = now
        if len(self._asked) < _MAX_ASKED:
            self._asked.add(kid)
        return Miss.REFRESHING

    def retry_after(self, now: float) -> float:
        """Seconds until the keys may be others."""
        if self.in_flight or self.due <= now:
            return 0.0
        wait = self.due - now
        return wait if self.failures else min(wait, max(0.0, (1 - self._filled(now)) * EVERY))

    # --- observing

    def health(self, now: float) -> SourceHealth:
        """A snapshot."""
        known = self._confirmed_at is not None
        return SourceHealth(
            usable=self.usable(now),
            keys=len(self.keys),
            age=now - self._confirmed_at if self._confirmed_at is not None else None,
            usable_for=max(0.0, self._fresh_until + self._outage - now) if known else None,
            next_refresh=max(0.0, self.due - now),
            failures=self.failures,
            last_error=self.last_error,
            refused=sum(self._refused.values()),
            changed=self._changed,
        )

    def warnings(self, now: float) -> Iterator[str]:
        """What needs somebody's attention."""
        if self.failures:
            if self.usable(now):
                yield f"its keys cannot be fetched, and stay in use for a while: {self.last_error}"
            else:
                yield f"its keys cannot be fetched, so its tokens are refused: {self.last_error}"
        elif self._confirmed_at is not None and not self.keys:
            yield "its key set holds no key that verifies access tokens (RS256, ES256 or Ed25519, with a kid)"
        if self._changed:
            yield (
                f"{self._changed} of its keys came under a kid that was another key's, and are not used; if that is its "
                "operator's doing, restart this service"
            )
        for reason, count in sorted(self._refused.items()):
            yield f"{count} of its keys cannot be used: {reason}"

    # --- inside

    def _pinned(self, listed: Mapping[str, PublicKey]) -> dict[str, PublicKey]:
        kept: dict[str, PublicKey] = {}
        self._changed = 0
        for kid, key in listed.items():
            material, held = thumbprint(key.jwk), self.keys.get(kid)
            pin = self._pins.pop(kid, material)
            self._pins[kid] = pin  # behind those that are not listed any more, and forgotten after them
            if material == pin:
                kept[kid] = held or key
            else:
                self._changed += 1
                if held:
                    kept[kid] = held
        _shorten(self._pins, _MAX_PINS)
        return kept

    def _confirmed(self, lifetime: float | None, now: float) -> None:
        for kid in self._flying - self.keys.keys():
            self._absent.pop(kid, None)
            self._absent[kid] = now + ABSENT_FOR
        _shorten(self._absent, _MAX_ABSENT)
        self.in_flight, self.failures, self.last_error = False, 0, ""
        self._backoff.reset()
        fresh = min(max(USUAL_FRESH if lifetime is None else lifetime, MIN_FRESH), MAX_FRESH)
        self._confirmed_at, self._fresh_until = now, now + fresh
        self.due = now + fresh * (0.8 - 0.2 * self._rand())

    def _filled(self, now: float) -> float:
        return min(float(AT_ONCE), self._level + (now - self._filled_at) / EVERY)

    def _take(self, now: float) -> bool:
        self._level, self._filled_at = self._filled(now), now
        if self._level < 1:
            return False
        self._level -= 1
        return True


def _shorten(mapping: dict[str, Any], most: int) -> None:
    """Drop what came first."""
    while len(mapping) > most:
        del mapping[next(iter(mapping))]
