"""The service with its watcher, the simulator of Bakong, and payers' pages, on a clock that jumps from event to event.

The service is the real one: its routes, its operations, its budget of calls and its database. Bakong is the shipped
simulator with the limits of production. A page does here what `checkout.js` does in a browser.
"""

import heapq
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
from attrs import define, evolve, field, frozen
from sqlalchemy import Connection, select

from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.retry import RetryPolicy
from bakong_khqr.testing import BakongSimulator
from bakong_service.app import opened, watcher_of
from bakong_service.clock import Clock
from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.money import Money
from bakong_service.domain.payment import MONEY, NewPayment, Payment, PaymentStatus
from bakong_service.operations.payments import requests
from bakong_service.settings import Settings
from bakong_service.storage.payments import claims, payments
from bakong_service.storage.schema import payment_history
from bakong_service.storage.schema import payments as table
from bakong_service.web.checkout import tokens
from bakong_service.web.checkout.link_memory import remembered
from bakong_service.web.http.application import application
from bakong_service.web.http.service import Service
from bakong_service.workers.budget import DatabaseBudget
from bakong_service.workers.watcher import Settlement
from benchmarks.pages.payers import Act, Habits, Payer, payer

FIRST_DAY = datetime(2026, 11, 2, 0, 0, 30, tzinfo=PHNOM_PENH)
SHOP_OPENS, SHOP_CLOSES = timedelta(hours=7), timedelta(hours=21)
SHOWN_AFTER_SECONDS = (1.0, 3.0)  # Bakong shows a transfer so long after it was sent
VIEWED_AGAIN_SECONDS = 30.0  # as in `stream.py`
AWAY_SECONDS, SHOWN_SECONDS = 5.0, 1.5  # as in `checkout.js`
PRESSED_AGAIN_SECONDS = 10.0  # as in `checkout.js`


class SteppedClock(Clock):
    """Stands at `at`, which the simulation moves."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def world(self) -> datetime:
        return self.at


@define
class Page:
    """A page in a payer's browser, as far as the service notices it."""

    path: str
    http: httpx.AsyncClient
    sends_hints: bool
    is_open: bool = False
    hidden_at: datetime | None = None
    shown: dict[str, str] = field(factory=dict)  # the `data-` attributes of the page's view
    pressed_at: datetime | None = None

    @property
    def is_visible(self) -> bool:
        return self.is_open and self.hidden_at is None

    @property
    def is_final(self) -> bool:
        return self.shown.get("final") == "yes"

    async def refresh(self) -> None:
        """Fetch the page, and read what it says to its script."""
        html = (await self.http.get(self.path)).raise_for_status().text
        view = html.partition('<main id="view"')[2].partition(">")[0]
        self.shown = dict(re.findall(r'data-(\w+)="([^"]*)"', view))
        self.shown["button"] = "yes" if 'id="have-paid"' in html else "no"

    async def hint(self) -> None:
        """Tell the service that the payer may have paid, and fetch the page."""
        if self.sends_hints:
            answer = await self.http.post(f"{self.path}/check")
            assert answer.status_code == 303, answer.text
        await self.refresh()

    async def open(self) -> None:
        self.is_open, self.hidden_at = True, None
        await self.refresh()

    async def come_back(self, now: datetime) -> bool:
        """Become visible, and return whether a hint follows. The system stopped a hidden page, so the page doesn't know
        yet what happened meanwhile."""
        hidden_at, self.hidden_at = self.hidden_at, None
        if hidden_at is None or self.is_final:
            return False
        if "ends" in self.shown and (now - hidden_at).total_seconds() > AWAY_SECONDS:
            return True
        await self.refresh()
        return False

    async def press(self, now: datetime) -> None:
        """Press "I have paid", if the button is there. The stream has told a visible page what it shows."""
        await self.refresh()
        if self.shown["button"] == "no":
            return
        if self.pressed_at is None or (now - self.pressed_at).total_seconds() >= PRESSED_AGAIN_SECONDS:
            self.pressed_at = now
            await self.hint()

    async def press_link(self) -> None:
        await self.http.get(f"{self.path}/deeplink")


@frozen(kw_only=True)
class Story:
    """What became of one payment."""

    status: PaymentStatus
    paid_after: float | None  # when the payer sent the money, in seconds after the payment was made
    detected_after: float | None  # when the service had it as paid

    @property
    def delay_seconds(self) -> float | None:
        """Return how long the service needed to see the money; None if there was none, or it wasn't seen."""
        if self.paid_after is None or self.detected_after is None:
            return None
        return self.detected_after - self.paid_after


@define
class Shop:
    """One shop with its service, on a stepped clock."""

    clock: SteppedClock
    service: Service
    watcher: Settlement
    bakong: BakongSimulator
    http: httpx.AsyncClient
    habits: Habits
    rng: random.Random
    sends_hints: bool = True
    calls: Counter[tuple[str, str]] = field(factory=Counter)  # by the reason of the look, and what Bakong answered
    _made: list[tuple[Payment, Payer]] = field(factory=list)
    _due: list[tuple[datetime, int, Callable[[], Awaitable[None]]]] = field(factory=list)
    _order: Any = field(factory=count)

    def at(self, moment: datetime, deed: Callable[[], Awaitable[None]]) -> None:
        """Do something at a moment."""
        heapq.heappush(self._due, (moment, next(self._order), deed))

    def open_for_a_day(self, day: datetime, made: int) -> None:
        """Plan the payments of one day, evenly between the shop's hours."""
        for _ in range(made):
            moment = day + SHOP_OPENS + (SHOP_CLOSES - SHOP_OPENS) * self.rng.random()
            self.at(moment, self._make(payer(self.rng, self.habits)))

    async def run(self) -> None:
        """Let time pass until nothing is due any more: all payers are done, and all payments have their end."""
        while True:
            looked_at = await self.service.executor.read(claims.next_due)
            moments = [moment for moment in (looked_at, self._due[0][0] if self._due else None) if moment is not None]
            if not moments:
                return
            self.clock.at = max(min(moments), self.clock.at + timedelta(milliseconds=10))
            while self._due and self._due[0][0] <= self.clock.at:
                await heapq.heappop(self._due)[2]()
            looked_at = await self.service.executor.read(claims.next_due)
            if looked_at is not None and looked_at <= self.clock.at:
                await self.watcher.step(self.clock.at)

    async def stories(self) -> list[Story]:
        """Return what became of each payment, in the order in which they were made."""
        return [await self._story(payment, who) for payment, who in self._made]

    async def _story(self, payment: Payment, who: Payer) -> Story:
        def read(connection: Connection) -> tuple[PaymentStatus, datetime | None]:
            now = payments.by_id(connection, payment.id)
            assert now is not None
            history = payment_history.c
            rows = select(history.at).where(history.subject_id == payment.id, history.new_status.in_(list(MONEY)))
            return now.status, connection.execute(rows.order_by(history.version)).scalars().first()

        status, at = await self.service.executor.read(read)
        detected = None if at is None else (at - payment.created_at).total_seconds()
        return Story(status=status, paid_after=who.pays_after, detected_after=detected)

    def _make(self, who: Payer) -> Callable[[], Awaitable[None]]:
        async def make() -> None:
            asked = NewPayment(amount=Money(250, "USD"))
            payment = await self.service.run("api:main", lambda work: requests.create(work, asked))
            self._made.append((payment, who))
            page = Page(f"/pay/{tokens.token_of(self.service, payment)}", self.http, self.sends_hints)
            for deed in who.deeds:
                self.at(payment.created_at + timedelta(seconds=deed.after), self._deed(deed.act, page, payment))

        return make

    def _deed(self, act: Act, page: Page, payment: Payment) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            now = self.clock.at
            match act:
                case Act.OPEN:
                    await page.open()
                    await self._viewed(page, payment)
                case Act.LINK:
                    await page.press_link()
                case Act.LEAVE if page.is_visible:
                    page.hidden_at = now
                case Act.RETURN if page.is_open:
                    if await page.come_back(now):
                        self.at(now + timedelta(seconds=SHOWN_SECONDS), page.hint)
                    await self._viewed(page, payment)
                case Act.PRESS if page.is_visible:
                    await page.press(now)
                case Act.CLOSE:
                    page.is_open = False
                case Act.PAY:
                    shown_after = timedelta(seconds=self.rng.uniform(*SHOWN_AFTER_SECONDS))
                    qr = self.service.business.vault.open(payment.qr, f"payments.qr_enc.{payment.reference}")
                    self.bakong.pay(qr, visible_after=shown_after)

        return do

    async def _viewed(self, page: Page, payment: Payment) -> None:
        """Store that the page is open, as its stream does from time to time. The system stops a hidden page."""
        if not page.is_visible or page.is_final:
            return
        now, again = self.clock.at, timedelta(seconds=VIEWED_AGAIN_SECONDS)
        await self.service.run("payer", lambda work: requests.viewed(work, payment.reference))
        if now + again < payment.qr_expires_at:
            self.at(now + again, lambda: self._viewed(page, payment))

    async def note(self, response: httpx.Response) -> None:
        """Count a call that Bakong answered, by the reason of the look."""
        path, body = response.request.url.path, json.loads(response.request.content or b"null")
        await response.aread()
        if not path.endswith("/check_transaction_by_md5"):
            self.calls[path.rpartition("/")[2], "answered" if response.is_success else "refused"] += 1
            return
        reason = await self.service.executor.read(
            lambda c: c.execute(select(table.c.next_check_reason).where(table.c.md5 == body["md5"])).scalar_one()
        )
        self.calls[str(reason), "found" if response.json()["responseCode"] == 0 else "not found"] += 1


@asynccontextmanager
async def a_shop(folder: str, *, habits: Habits, seed: int, sends_hints: bool = True) -> AsyncIterator[Shop]:
    """Open a shop with a hundred calls a day, in a new database in `folder`."""
    settings = Settings.from_environment({**_ENVIRONMENT, "DATABASE_URL": f"sqlite:///{folder}/{seed}.db"})
    clock = SteppedClock(FIRST_DAY)
    bakong = BakongSimulator.like_production(clock=clock.now, seed=seed)
    async with (
        opened(settings, prepared=True) as real,
        httpx.AsyncClient(transport=bakong.transport()) as to_bakong,
    ):
        budget = DatabaseBudget(real.executor, clock, settings.bakong_daily_limit)
        retry = RetryPolicy(attempts=1)
        links = AsyncBakongClient(
            None, base_url=settings.bakong_base_url, retry=retry, http_client=to_bakong, budget=budget, clock=clock.now
        )

        @remembered
        async def deeplink(payload: str) -> str:
            return (await links.generate_deeplink(payload)).short_link

        service = evolve(real, clock=clock, deeplink=deeplink)
        payers = httpx.ASGITransport(app=application(service))
        async with httpx.AsyncClient(transport=payers, base_url="http://service") as http:
            shop = Shop(
                clock, service, watcher_of(service, to_bakong), bakong, http, habits, random.Random(seed), sends_hints
            )
            to_bakong.event_hooks = {"response": [shop.note]}
            yield shop


_ENVIRONMENT = {
    "MODE": "test",
    "BAKONG_DEVELOPER_TOKEN": "simulator",
    "BAKONG_BASE_URL": "http://bakong.test",
    "BAKONG_DAILY_LIMIT": "100",
    "BAKONG_MERCHANT_ID": "sokha@aclb",
    "MERCHANT_NAME": "Sokha Coffee",
    "MAIN_BACKEND_API_KEY": "the-main-backend-key-of-a-benchmark",
    "KEY_PEPPER": "the-pepper-of-a-benchmark-d27a90c4e1",
    "ENCRYPTION_KEY": "9f86d081884c7d659a2feaa0c55ad015",
}
