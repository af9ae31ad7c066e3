"""What a guard that is not current does under the policy `introspect`: its own word first, then the issuer's, then its own again.

* What the guard knows to be refused is refused without a question: the issuer's word adds refusals or confirms, it revives nothing.
* The issuer must vouch for the very token (introspected.py). No answer is the refusal that `deny` would have given.
* More may have been read while the issuer was asked, so the guard has the last word; its own verdict, if it is current by then.
"""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from revocast.sdk.claims import Claims
from revocast.sdk.clock import Clock
from revocast.sdk.core import GuardCore, check_scopes
from revocast.sdk.errors import GuardClosed, GuardUnavailable
from revocast.sdk.freshness import State
from revocast.sdk.introspected import NoAnswer, acceptable, confirm
from revocast.sdk.keyring import Keyring
from revocast.sdk.settings import GuardSettings

if TYPE_CHECKING:
    from revocast.sdk.introspection import Introspector

__all__ = ["Consulting", "check_can_ask"]


def check_can_ask(settings: GuardSettings, why: str) -> None:
    """Raise `SettingsError` or `ModuleNotFoundError` unless the issuer can be asked."""
    settings.check_introspection(why)
    try:
        from revocast.sdk import introspection  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{why}: install revocast[introspection]") from error


class Consulting:
    """Asks for one guard. `core` gives the core in force; None: it does not know yet whom to trust. One loop calls."""

    def __init__(self, settings: GuardSettings, clock: Clock, core: Callable[[], GuardCore | None]) -> None:
        self._settings = settings
        self._clock = clock
        self._core = core
        self._introspector: Introspector | None = None

    @property
    def problem(self) -> str:
        """Why the issuer does not answer; empty: it does, or was not asked."""
        return self._introspector.problem if self._introspector else ""

    @property
    def counters(self) -> dict[str, int]:
        """Questions by outcome."""
        return dict(self._introspector.counters) if self._introspector else {}

    async def judge(self, token: str, scopes: Collection[str], unavailable: GuardUnavailable) -> Claims:
        """The claims of a token that the issuer confirms. Raises a `TokenError`, or the kind of `unavailable` with more reasons."""
        claims, known = self._own_word(token)
        if claims["iss"] != self._settings.issuer:
            raise unavailable  # it cannot know what a foreign issuer has signed
        try:
            confirm(await self._asking().ask(token, stranger=not known), claims)
        except NoAnswer as error:
            raise type(unavailable)(f"{unavailable.reason}; {error}") from None
        core, now = self._core(), self._clock()
        if core is not None and core.freshness.holds(now):
            return core.verify(token, now, scopes)
        claims, _ = self._own_word(token)
        check_scopes(claims, scopes)
        return claims

    async def close(self) -> None:
        """Ask no more."""
        introspector, self._introspector = self._introspector, None
        if introspector is not None:
            await introspector.close()

    def _asking(self) -> "Introspector":
        if self._introspector is None:
            check_can_ask(self._settings, "freshness is introspect")
            from revocast.sdk.introspection import Introspector

            self._introspector = Introspector(self._settings, self._clock)
        return self._introspector

    def _own_word(self, token: str) -> tuple[Claims, bool]:
        """The claims, and whether a key that is known here signed them. Raises the `TokenError` of what is refused in any case."""
        core, now = self._core(), self._clock()
        if core is None:
            return acceptable(token, self._settings.profile, Keyring(), now.wall), False
        if core.state is State.CLOSED:
            raise GuardClosed()
        known, verifier = core.known(token, now), core.verifier
        if known is not None:
            return known, True
        t = max(now.wall, verifier.newest_t)
        return acceptable(token, verifier.profile, verifier.keyring, t), False
