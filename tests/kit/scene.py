"""A till, the simulator of Bakong, and a watcher between them, all at the moment to which a test moves them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
from attrs import define, field

from bakong_khqr.testing import BakongSimulator
from bakong_service.domain.payment import Payment
from bakong_service.domain.watching import Mode
from bakong_service.storage.payments import claims
from bakong_service.workers.watcher import Settlement
from bakong_service.workers.watcher_parts import watcher
from kit.till import Till


@define(eq=False)
class Scene:
    """The shop, Bakong and a watcher between them."""

    till: Till
    bakong: BakongSimulator
    http: httpx.AsyncClient
    settings: dict[str, Any] = field(factory=dict)
    watcher: Settlement = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self, **settings: Any) -> Settlement:
        """A watcher that knows nothing but what is in the database."""
        self.settings |= settings
        self.watcher = self.another()
        return self.watcher

    def another(self) -> Settlement:
        """One more replica."""
        given = {"token": "simulator", "email": None, "daily_limit": None} | self.settings
        return watcher(
            self.till.executor,
            self.till.business,
            self.till.clock,
            http=self.http,
            base_url="https://bakong.test",
            **given,
        )

    async def step(self) -> datetime | None:
        return await self.watcher.step(self.till.now)

    async def live(self, *, until: datetime | None = None, **by: float) -> None:
        """Let time pass as the watcher asks for it, jumping from look to look."""
        end = until or self.till.now + timedelta(**by)
        while self.till.now < end:
            await self.step()
            due = await self.till.run(claims.next_due)
            self.till.at(min(end, max(due or end, self.till.now + timedelta(milliseconds=10))))
        await self.step()

    def pay(self, payment: Payment, **details: Any) -> None:
        self.bakong.pay(self.till.qr(payment), **details)

    def mode(self) -> Mode:
        """How the watcher asks Bakong."""
        return self.watcher.provider.mode

    async def reviews(self, payment: Payment) -> list[str]:
        return [item.kind for item in await self.till.reviews(payment)]

    def calls(self, endpoint: str = "") -> int:
        """How many calls Bakong was sent since the last time this was asked."""
        asked = sum(endpoint in request.path for request in self.bakong.requests)
        self.bakong.requests.clear()
        return asked


@asynccontextmanager
async def a_scene(till: Till) -> AsyncIterator[Scene]:
    """A kind Bakong, and no limit of calls."""
    bakong = BakongSimulator(clock=till.clock.now, seed=1)
    async with httpx.AsyncClient(transport=bakong.transport()) as http:
        yield Scene(till=till, bakong=bakong, http=http)
