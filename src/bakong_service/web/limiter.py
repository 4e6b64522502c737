"""Counting against rates: in Redis where there is one, else in the process.

When Redis doesn't answer within 50 ms the process counts by itself for a while: a limiter that is away neither opens
the door nor closes it.
"""

import time

import limits
import structlog
from attrs import frozen
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from bakong_service.settings import Secret

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
        self._away_until = 0.0
        if redis_url is not None:
            storage = RedisStorage(
                f"async+{redis_url.reveal()}",
                implementation="redispy",
                key_prefix="bakong-service",
                socket_timeout=_REDIS_SECONDS,
                socket_connect_timeout=_REDIS_SECONDS,
            )
            self._shared = SlidingWindowCounterRateLimiter(storage)

    @property
    def is_shared(self) -> bool:
        """Whether Redis counts now."""
        return self._shared is not None and time.monotonic() >= self._away_until

    async def take(self, rate: limits.RateLimitItem, *names: str) -> Allowance:
        """Count one against a rate, if any is left."""
        return await self._ask(rate, names, take=True)

    async def look(self, rate: limits.RateLimitItem, *names: str) -> Allowance:
        """What is left of a rate, counting nothing."""
        return await self._ask(rate, names, take=False)

    async def _ask(self, rate: limits.RateLimitItem, names: tuple[str, ...], *, take: bool) -> Allowance:
        if self._shared is not None and self.is_shared:
            try:
                return await _count(self._shared, rate, names, take=take)
            except (RedisError, OSError, TimeoutError) as error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                log.warning("redis_away", error=type(error).__name__, seconds=_AWAY_SECONDS)
        return await _count(self._here, rate, names, take=take)


async def _count(
    limiter: SlidingWindowCounterRateLimiter, rate: limits.RateLimitItem, names: tuple[str, ...], *, take: bool
) -> Allowance:
    granted = await (limiter.hit(rate, *names) if take else limiter.test(rate, *names))
    reset_at, remaining = await limiter.get_window_stats(rate, *names)
    seconds = max(1, round(reset_at - time.time() + 0.5))
    return Allowance(rate, max(0, remaining), seconds, granted)
