"""Counts requests against rates, in Redis if there is one, and else in the process.

If Redis doesn't answer in time, the process counts by itself for some seconds, and grants its share of each rate.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import limits
import structlog
from attrs import frozen

from bakong_service.settings import Secret
from bakong_service.web.http.counters import UNUSED, Ask, Counter

if TYPE_CHECKING:
    from bakong_service.web.http.redis_counters import Counted, RedisCounters

log = structlog.get_logger(__name__)

_AWAY_SECONDS = 5.0
_COUNTED_AT_ONCE = 256
_MOST_COUNTERS = 20_000  # in the process; the least recently used counter is dropped first


@frozen
class RateAllowance:
    """The rest of a rate after a request."""

    rate: limits.RateLimitItem
    remaining: int
    reset_seconds: int
    granted: bool


class Limiter:
    """Counts requests against rates. Without `replicas`, their number is what Redis has seen."""

    def __init__(
        self, redis_url: Secret | None = None, replicas: int | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._now, self._given_replicas, self._seen_replicas = now, replicas, 1
        self._here: OrderedDict[str, Counter] = OrderedDict()
        self._waiting: list[tuple[Ask, asyncio.Future[RateAllowance]]] = []
        self._counting: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self._redis = None if redis_url is None else _counters(redis_url)

    @property
    def is_shared(self) -> bool:
        """Whether Redis counts now."""
        return self._redis is not None and time.monotonic() >= self._away_until

    async def close(self) -> None:
        """Close the connection to Redis."""
        if self._redis is not None:
            self._redis.close()

    async def take(self, rate: limits.RateLimitItem, *names: str, strict: bool = False) -> RateAllowance:
        """Count one request against a rate, if the rate isn't used up.

        The rate holds on average: a burst at the end of one window may be followed by other requests early in the next.
        With `strict`, no interval as long as the window ever has more requests than the amount; a name that used the
        rate up then waits for at most two windows.
        """
        window = rate.get_expiry()
        ask = Ask(rate, window, ":".join((*names, str(rate.amount), str(window))), strict)
        if not self.is_shared:
            return self._count_here(ask)
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, answer))
        if self._counting is None:
            self._counting = asyncio.create_task(self._count_waiting(), name="limiter")
        allowance: RateAllowance = await answer
        return allowance

    async def _count_waiting(self) -> None:
        """Count all waiting requests, one batch after another."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_COUNTED_AT_ONCE], self._waiting[_COUNTED_AT_ONCE:]
                for (_, answer), allowance in zip(batch, await self._count([ask for ask, _ in batch]), strict=True):
                    if not answer.done():
                        answer.set_result(allowance)
        finally:
            self._counting = None

    async def _count(self, asks: list[Ask]) -> list[RateAllowance]:
        if self._redis is not None and self.is_shared:
            counted = await self._redis.count([(ask, self._here.get(ask.name, UNUSED)) for ask in asks])
            if counted is not None:
                return self._shared(asks, counted)
            self._away_until = time.monotonic() + _AWAY_SECONDS
        return [self._count_here(ask) for ask in asks]

    def _shared(self, asks: list[Ask], counted: "Counted") -> list[RateAllowance]:
        """Return what Redis allows, and remember what it granted: that is part of this replica's share."""
        self._seen_replicas = counted.replicas
        allowances = []
        for ask, (granted, counter) in zip(asks, counted.counters, strict=True):
            allowances.append(_allowance(ask, ask.rate.amount, counter, counted.now, granted=granted))
            if granted:
                self._add_here(ask, self._now())
        return allowances

    def _count_here(self, ask: Ask) -> RateAllowance:
        now = self._now()
        amount = max(1, ask.rate.amount // self._replicas)
        counter = self._here.get(ask.name, UNUSED).at(int(now // ask.window))
        granted = _used(ask, counter, now) < amount
        if granted:
            counter = self._add_here(ask, now)
        return _allowance(ask, amount, counter, now, granted=granted)

    @property
    def _replicas(self) -> int:
        if self._redis is None:
            return self._given_replicas or 1
        return self._given_replicas or self._seen_replicas

    def _add_here(self, ask: Ask, now: float) -> Counter:
        counter = self._here.pop(ask.name, UNUSED).at(int(now // ask.window))
        counter = Counter(counter.index, counter.count + 1, counter.before)
        self._here[ask.name] = counter
        while len(self._here) > _MOST_COUNTERS:
            self._here.popitem(last=False)
        return counter


def _counters(url: Secret) -> "RedisCounters":
    from bakong_service.web.http.redis_counters import RedisCounters  # a tenth of the service's start

    return RedisCounters(url, _AWAY_SECONDS)


def _used(ask: Ask, counter: Counter, now: float) -> int:
    share = 1.0 if ask.strict else 1 - (now / ask.window - counter.index)
    return counter.count + math.floor(counter.before * share)


def _allowance(ask: Ask, amount: int, counter: Counter, now: float, *, granted: bool) -> RateAllowance:
    passed = now / ask.window - counter.index  # of this window, from 0 to 1
    left = 1 - passed
    if ask.strict and counter.count >= amount:  # they count in the next window too
        left += 1
    elif not ask.strict and not granted and counter.count < amount:  # the share of the window before gets smaller
        left = min(left, max(0.0, 1 - (amount - counter.count) / counter.before - passed))
    remaining = max(0, amount - _used(ask, counter, now))
    return RateAllowance(ask.rate, remaining, max(1, math.ceil(left * ask.window)), granted)
