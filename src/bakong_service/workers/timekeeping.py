"""Compares the process's clock with other clocks, and measures how far Bakong's clock is ahead."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import httpx
import structlog
from sqlalchemy import Connection

from bakong_service.clock import Clock
from bakong_service.domain.timekeeping import JUMP, Clocks, agreed_time, is_harmful, is_notable, told_date
from bakong_service.storage.bakong import provider_clock
from bakong_service.storage.engine.executor import Executor

_ASK_TIMEOUT_SECONDS = 5.0
_EVERY = timedelta(seconds=10)

log = structlog.get_logger(__name__)


class Timekeeper:
    """Knows whether the process's clock can be trusted, and how far Bakong's clock is ahead of it (`skew`).

    `grace` is the grace of payments: a skew beyond it harms them.
    """

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        *,
        grace: timedelta,
        database: Callable[[Connection], datetime | None] = provider_clock.now,
    ) -> None:
        self.skew: timedelta | None = None
        self.is_trusted = True
        self._executor = executor
        self._clock = clock
        self._grace = grace
        self._database = database
        self._ask: Callable[[], Awaitable[httpx.Response]] | None = None
        self._asked_at: float | None = None
        self._heard: tuple[datetime, float] | None = None
        self._written: timedelta | None = None

    def listen(self, http: httpx.AsyncClient, base_url: str) -> None:
        """Take Bakong's time from each answer to this client. While the clocks disagree, ask for it once a minute.

        The question needs no token and isn't a call of the Open API.
        """
        http.event_hooks["response"].append(self.heard)
        self._ask = lambda: http.head(base_url, timeout=_ASK_TIMEOUT_SECONDS)

    async def step(self, now: datetime) -> datetime:
        """Compare the clocks, and store what every process should know. The next step is in ten seconds."""
        del now
        trusted, skew = await self.agreed(), self.skew
        told = None if skew == self._written else skew
        if told is not None or not trusted:
            distrusted_at = None if trusted else self._clock.now()
            await self._executor.run(lambda c: provider_clock.write(c, skew=told, distrusted_at=distrusted_at))
            self._written = skew
        return self._clock.now() + _EVERY

    async def agreed(self) -> bool:
        """Return whether another clock confirms the time. Follow a jump of the clock that others confirm."""
        clock, clocks = self._clock, await self._read()
        if agreed_time(clocks) is None and await self._hear():
            clocks = await self._read()
        agreed = agreed_time(clocks)
        if agreed is not None:
            moved = agreed - clock.world()
            clock.agree(agreed)
            if abs(moved) > JUMP:
                log.warning("clock_moved", seconds=moved.total_seconds())
        self._tell(agreed is not None, clocks)
        return self.is_trusted

    async def heard(self, response: httpx.Response) -> None:
        """Take the time from an answer of Bakong. This is a hook of the HTTP client."""
        date = told_date(response.headers)
        if date is None:
            return
        self._heard = (date, self._clock.seconds())
        before, skew = self.skew, date - self._clock.world()
        self.skew = skew
        grace = self._grace
        harmful, was_harmful = is_harmful(skew, grace), before is not None and is_harmful(before, grace)
        notable, was_notable = is_notable(skew, grace), before is not None and is_notable(before, grace)
        if (harmful, notable) != (was_harmful, was_notable):
            level = log.error if harmful else log.warning if notable else log.info
            level("bakong_clock_differs", seconds=skew.total_seconds(), degraded=harmful)

    async def _read(self) -> Clocks:
        database = await self._executor.read(self._database)
        clock = self._clock
        return Clocks(own=clock.own(), steady=clock.steady(), database=database, bakong=self._bakong())

    async def _hear(self) -> bool:
        """Ask Bakong for its time. Return False if it was asked within the last minute, or doesn't answer."""
        seconds = self._clock.seconds()
        if self._ask is None or (self._asked_at is not None and seconds - self._asked_at < JUMP.total_seconds()):
            return False
        self._asked_at = seconds
        try:
            await self._ask()
        except httpx.HTTPError as error:
            log.warning("bakong_time_not_heard", error=type(error).__name__)
            return False
        return True

    def _bakong(self) -> datetime | None:
        if self._heard is None:
            return None
        date, since = self._heard
        return date + timedelta(seconds=self._clock.seconds() - since)

    def _tell(self, trusted: bool, clocks: Clocks) -> None:
        if trusted != self.is_trusted:
            names = ("own", "steady", "database", "bakong")
            told = {name: moment and moment.isoformat() for name in names if (moment := getattr(clocks, name))}
            (log.info if trusted else log.error)("clock_trusted" if trusted else "clock_distrusted", **told)
        self.is_trusted = trusted
