"""A year of churn, step by step, with a checker that knows every revocation and every live row.

* At each step tokens are revoked, older ones expire, and a cut is countersigned; now and then a key is rotated, a user is
  suspended or let back in, and before its end the delegation list is renewed.
* A service of its own starts from nothing at each visit; a steady one slept since the last visit; another one slept for a month,
  which is longer than the log reaches back. Each must hold the issuer's bytes, refuse what is revoked and accept what is not.
"""

import secrets
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from revocast.schemas.row import Slot
from revocast.sdk import Guard, TokenRevoked
from tests.integration.year.deployment import Deployment
from tests.integration.year.sizes import Sizes, measure
from tests.issuer.core.authority import ORDERS
from tests.issuer.core.reader import until
from tests.issuer.core.root_holder import DAYS, RootHolder

__all__ = ["DAY", "Plan", "Year"]

DAY = 86_400
_TOKEN_LIFETIME = 6 * DAY
_NAP_STEPS = 10


@dataclass(frozen=True)
class Plan:
    """`step` seconds pass at a time, `rows` are revoked at each; services are visited every `visit` steps."""

    step: int = 3 * DAY
    steps: int = 122
    rows: int = 200
    visit: int = 10


@dataclass
class Year:
    """What happened. `origins` counts from where services began; `sizes` are those of the visits."""

    deployment: Deployment
    plan: Plan = field(default_factory=Plan)
    sizes: list[Sizes] = field(default_factory=list)
    origins: Counter[str] = field(default_factory=Counter)
    revoked: int = 0
    compared: int = 0
    lost_cuts: int = 0

    async def run(self) -> AsyncIterator[int]:
        """Live through it; yields the number of each step that is over."""
        deployment, plan, authority = self.deployment, self.plan, self.deployment.authority
        client = authority.client()
        await deployment.revoke(["first"], _TOKEN_LIFETIME)
        for step in range(plan.steps):
            deployment.move_to(deployment.now + plan.step)
            t = int(deployment.now)
            self._exceptions(step)
            await deployment.revoke([secrets.token_hex(8) for _ in range(plan.rows)], _TOKEN_LIFETIME)
            self.revoked += plan.rows
            self.lost_cuts += not await deployment.countersigned(t)
            if step % plan.visit == plan.visit - 1:
                await self._visit(f"new-{step}", client)
                await self._visit("steady", client)
                if step % (3 * plan.visit) == 3 * plan.visit - 1:
                    await self._visit("sleeper", client)
                self.sizes.append(await measure(deployment))
            yield step

    def _exceptions(self, step: int) -> None:
        authority = self.deployment.authority
        if step % _NAP_STEPS == 0:
            authority.service.rotate_key(actor="alice")
            authority.block("subject", f"suspended-{step}")
        if step % _NAP_STEPS == 5:
            authority.lift("subject", f"suspended-{step - 5}", slot=Slot.BLOCK)
        holder = RootHolder(authority)
        if holder.in_force.listed.expires_at - holder.now < 30 * DAY:
            holder.adopt(holder.in_force.renewed(holder.now, DAYS))

    async def _visit(self, name: str, client: str) -> None:
        """One service starts, is right about everything, sees one more revocation, and stops."""
        deployment = self.deployment
        good = deployment.authority.service.mint(client, ORDERS)
        bad = deployment.authority.service.mint(client, ORDERS)
        async with deployment.guard(name) as guard:
            await deployment.revoke([bad.claims["jti"]], _TOKEN_LIFETIME)
            await self._compare(guard)
            assert guard.verify(good.token)["jti"] == good.claims["jti"]
            with pytest.raises(TokenRevoked):
                guard.verify(bad.token)
            self.origins[guard.health().origin] += 1

    async def _compare(self, guard: Guard) -> None:
        n, table = self.deployment.table()

        def reached() -> bool:
            position, _ = guard.table()
            return position is not None and position.n >= n

        await until(reached, f"the service has read to record {n}")
        position, packed = guard.table()
        assert position is not None and position.n == n
        assert packed == table
        self.compared += 1
