"""Counting against rates: in Redis where there is one, else in the process.

When Redis doesn't answer within 50 ms the process counts by itself for a while: a limiter that is away neither opens
the door nor closes it.
"""

import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import limits
import structlog
from attrs import frozen
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from bakong_service.settings import Secret

T = TypeVar("T")

log = structlog.get_logger(__name__)

_REDIS_SECONDS = 0.05
_AWAY_SECONDS = 5.0


@frozen
class Allowance:
    """What is left of a rate after a request."""

    rate: limits.RateLimitItem
    remaining: int
    reset_seconds: int
    granted: bool


class Limiter:
    """Counts against rates."""

    def __init__(self, redis_url: Secret | None = None) -> None:
        self._here = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._pool: ConnectionPool | None = None
        self._away_until = 0.0
        if redis_url is not None:
            url = redis_url.reveal()
            self._pool = ConnectionPool.from_url(
                url, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS
            )
            storage = RedisStorage(
                f"async+{url}",
                implementation="redispy",
                key_prefix="bakong-service",
                connection_pool=self._pool,  # type: ignore[arg-type]  # documented, but not in its annotation
            )
            self._shared = SlidingWindowCounterRateLimiter(storage)

    @property
    def is_shared(self) -> bool:
        """Whether Redis counts now."""
        return self._shared is not None and time.monotonic() >= self._away_until

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._pool is not None:
            await self._pool.aclose()

    async def take(self, rate: limits.RateLimitItem, *names: str) -> Allowance:
        """Count one against a rate, if any is left."""

        async def count(limiter: SlidingWindowCounterRateLimiter) -> Allowance:
            granted = await limiter.hit(rate, *names)
            return await _allowance(limiter, rate, names, granted=granted)

        return await self._ask(count)

    async def spent(self, rate: limits.RateLimitItem, *names: str) -> Allowance | None:
        """The allowance of a rate that is used up; None while some is left. Counts nothing."""

        async def look(limiter: SlidingWindowCounterRateLimiter) -> Allowance | None:
            if await limiter.test(rate, *names):
                return None
            return await _allowance(limiter, rate, names, granted=False)

        return await self._ask(look)

    async def _ask(self, question: Callable[[SlidingWindowCounterRateLimiter], Awaitable[T]]) -> T:
        if self._shared is not None and self.is_shared:
            try:
                return await question(self._shared)
            except (RedisError, OSError, TimeoutError) as error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                log.warning("redis_away", error=type(error).__name__, seconds=_AWAY_SECONDS)
        return await question(self._here)


async def _allowance(
    limiter: SlidingWindowCounterRateLimiter, rate: limits.RateLimitItem, names: tuple[str, ...], *, granted: bool
) -> Allowance:
    reset_at, remaining = await limiter.get_window_stats(rate, *names)
    return Allowance(rate, max(0, remaining), max(1, math.ceil(reset_at - time.time())), granted)
