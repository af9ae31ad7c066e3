"""A guard without Kafka: it follows an in-memory authority, and is current the moment the authority has spoken."""

from types import TracebackType
from typing import Self, Unpack

from revocast.schemas.errors import SettingsError
from revocast.schemas.jose import PrivateKey, canonical_json
from revocast.sdk.clock import Instant
from revocast.sdk.guard import Guard
from revocast.sdk.policy import Policy
from revocast.sdk.settings import Mode, MoreOptions
from revocast.testing.authority import Authority
from revocast.testing.delivery import Delivery, core_for

__all__ = ["InMemoryGuard"]


class InMemoryGuard(Guard):
    """The real guard in everything but where its records come from. Ready when made; entering it changes nothing.

    Its clock is the authority's: `authority.advance(seconds)` ages tokens and rows, `authority.now += seconds` also makes
    the guard stale, as if the issuer had stopped.
    """

    def __init__(
        self,
        authority: Authority,
        audience: str | None = None,
        *,
        policy: Policy = "deny",
        mode: Mode = "enforce",
        **more: Unpack[MoreOptions],
    ) -> None:
        super().__init__(
            authority.issuer,
            audience or authority.audience,
            kafka="in memory",
            root=authority.pin,
            policy=policy,
            mode=mode,
            clock=lambda: Instant(authority.now, authority.now),
            **more,
        )
        core = core_for(
            authority,
            audience=self.settings.audience,
            limits=self.settings.limits,
            policy=policy,
            foreign=self.settings.jwks,
            signatures=self.settings.signatures,
        )
        self._adopt(core)
        self.delivery = Delivery(authority, core)
        self.delivery.deliver()
        for log in self.delivery.logs.values():
            log.listen(self.delivery.deliver)

    def publish_jwks(self, issuer: str, *keys: PrivateKey) -> None:
        """A foreign issuer of the setting `jwks` publishes these keys, and no other. Nothing is fetched."""
        if self._foreign is None:
            raise SettingsError("REVOCAST_JWKS: names no foreign issuer")
        self._foreign.receive(issuer, canonical_json({"keys": [dict(key.public.jwk) for key in keys]}))

    async def start(self) -> None:
        """Nothing to wait for."""

    async def stop(self) -> None:
        """Let go of the connections to the issuer, if there are any."""
        await self._consulting.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
