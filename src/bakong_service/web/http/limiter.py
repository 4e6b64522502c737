"""Counts requests against rates, in Redis if there is one, and else in the process.

One script counts all requests of a moment, in its own thread, so that a busy event loop doesn't look like a slow Redis.
If Redis doesn't answer within 50 ms, the process counts by itself for some seconds, and grants its share of each rate.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import limits
import redis
import structlog
from attrs import frozen
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bakong_service.settings import Secret

log = structlog.get_logger(__name__)

_REDIS_SECONDS = 0.05
_AWAY_SECONDS = 5.0
_COUNTED_AT_ONCE = 256
_MOST_COUNTERS = 20_000  # in the process; the least recently used counter is dropped first
_REPLICA_SECONDS = 60  # a replica that didn't count for so long isn't counted as one
_PREFIX = "bakong-service:"

# A sliding window: it counts the requests of this window, and a share of those of the window before (all of them if the
# counter is strict). A counter has a field for each replica. A replica always says how many requests it granted itself:
# Redis doesn't know those that were granted while it was away, and a restarted Redis has forgotten the others.
# KEYS are the set of replicas and the counters. ARGV are the name of this replica, the seconds for which a replica is
# counted, and of each counter the amount, the window, the strictness (1 or 0), and this replica's own counter: its
# window's number, and the requests of this window and of the window before.
_SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local replica = ARGV[1]
redis.call('ZADD', KEYS[1], now, replica)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], 2 * tonumber(ARGV[2]))
local answer = {redis.call('ZCARD', KEYS[1]), tostring(now)}
local function raise(kept, field, least)
  if (tonumber(kept[field]) or 0) < least then kept[field] = least end
end
local function sum(kept, kind)
  local total = 0
  for field, count in pairs(kept) do
    if string.sub(field, 1, #kind) == kind then total = total + count end
  end
  return total
end
for number = 2, #KEYS do
  local at = 6 * (number - 2) + 3
  local amount, window, strict = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2] == '1'
  local own_index, own_count, own_before = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local index = math.floor(now / window)
  local flat, was, kept = redis.call('HGETALL', KEYS[number]), nil, {}
  for place = 1, #flat, 2 do
    if flat[place] == 'index' then was = tonumber(flat[place + 1]) end
  end
  for place = 1, #flat, 2 do
    local field, count = flat[place], tonumber(flat[place + 1])
    if was == index and field ~= 'index' then
      kept[field] = count
    elseif was == index - 1 and string.sub(field, 1, 6) == 'count:' then
      kept['before:' .. string.sub(field, 7)] = count
    end
  end
  if own_index == index then
    raise(kept, 'count:' .. replica, own_count)
    raise(kept, 'before:' .. replica, own_before)
  elseif own_index == index - 1 then
    raise(kept, 'before:' .. replica, own_count)
  end
  local count, before = sum(kept, 'count:'), sum(kept, 'before:')
  local weight = strict and before or math.floor(before * (1 - (now / window - index)))
  local granted = 0
  if weight + count < amount then
    granted = 1
    count = count + 1
    kept['count:' .. replica] = (kept['count:' .. replica] or 0) + 1
  end
  kept['index'] = index
  local fields = {}
  for field, value in pairs(kept) do
    fields[#fields + 1], fields[#fields + 2] = field, value
  end
  redis.call('DEL', KEYS[number])
  redis.call('HSET', KEYS[number], unpack(fields))
  redis.call('EXPIRE', KEYS[number], 2 * window)
  answer[#answer + 1] = granted
  answer[#answer + 1] = count
  answer[#answer + 1] = before
end
return answer
"""


@frozen
class RateAllowance:
    """The rest of a rate after a request."""

    rate: limits.RateLimitItem
    remaining: int
    reset_seconds: int
    granted: bool


@frozen
class _Ask:
    """One request to count: its rate, the name under which it is counted, and whether it is counted strictly."""

    rate: limits.RateLimitItem
    window: int  # seconds
    name: str
    strict: bool


@frozen
class _Counter:
    """The requests of the window `index`, and of the window before it."""

    index: int = 0
    count: int = 0
    before: int = 0

    def at(self, index: int) -> "_Counter":
        """Return the counter in a later window."""
        if index == self.index:
            return self
        return _Counter(index, 0, self.count if index == self.index + 1 else 0)


_UNUSED = _Counter()


class Limiter:
    """Counts requests against rates. Without `replicas`, their number is what Redis has seen."""

    def __init__(
        self, redis_url: Secret | None = None, replicas: int | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._now, self._given_replicas, self._seen_replicas = now, replicas, 1
        self._here: OrderedDict[str, _Counter] = OrderedDict()
        self._replica = uuid4().hex
        self._waiting: list[tuple[_Ask, asyncio.Future[RateAllowance]]] = []
        self._counting: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self._redis: redis.Redis | None = None
        if redis_url is not None:
            self._redis = redis.Redis.from_url(
                redis_url.reveal(),
                socket_timeout=_REDIS_SECONDS,
                socket_connect_timeout=_REDIS_SECONDS,
                max_connections=1,
                retry=Retry(NoBackoff(), 0),
            )
            self._script = self._redis.register_script(_SCRIPT)
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="limiter")

    @property
    def is_shared(self) -> bool:
        """Whether Redis counts now."""
        return self._redis is not None and time.monotonic() >= self._away_until

    async def close(self) -> None:
        """Close the connection to Redis."""
        if self._redis is not None:
            self._thread.shutdown(wait=False)
            self._redis.close()

    async def take(self, rate: limits.RateLimitItem, *names: str, strict: bool = False) -> RateAllowance:
        """Count one request against a rate, if the rate isn't used up.

        The rate holds on average: a burst at the end of one window may be followed by other requests early in the next.
        With `strict`, no interval as long as the window ever has more requests than the amount; a name that used the
        rate up then waits for at most two windows.
        """
        window = rate.get_expiry()
        ask = _Ask(rate, window, ":".join((*names, str(rate.amount), str(window))), strict)
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

    async def _count(self, asks: list[_Ask]) -> list[RateAllowance]:
        if self.is_shared:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._count_in_redis, asks)
            except (RedisError, OSError, TimeoutError) as error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                log.warning("redis_away", error=type(error).__name__, seconds=_AWAY_SECONDS)
        return [self._count_here(ask) for ask in asks]

    def _count_in_redis(self, asks: list[_Ask]) -> list[RateAllowance]:
        keys = [f"{_PREFIX}replicas", *(_PREFIX + ask.name for ask in asks)]
        arguments: list[str | int] = [self._replica, _REPLICA_SECONDS]
        for ask in asks:
            own = self._here.get(ask.name, _UNUSED)
            arguments += [ask.rate.amount, ask.window, int(ask.strict), own.index, own.count, own.before]
        replicas, now, *counted = self._script(keys=keys, args=arguments)
        self._seen_replicas = max(1, int(replicas))
        allowances = []
        for ask, start in zip(asks, range(0, len(counted), 3), strict=True):
            granted, count, before = (int(each) for each in counted[start : start + 3])
            counter = _Counter(int(float(now) // ask.window), count, before)
            allowances.append(_allowance(ask, ask.rate.amount, counter, float(now), granted=bool(granted)))
            if granted:
                self._add_here(ask, self._now())  # what this replica granted is part of its share
        return allowances

    def _count_here(self, ask: _Ask) -> RateAllowance:
        now = self._now()
        amount = max(1, ask.rate.amount // self._replicas)
        counter = self._here.get(ask.name, _UNUSED).at(int(now // ask.window))
        granted = _used(ask, counter, now) < amount
        if granted:
            counter = self._add_here(ask, now)
        return _allowance(ask, amount, counter, now, granted=granted)

    @property
    def _replicas(self) -> int:
        if self._redis is None:
            return self._given_replicas or 1
        return self._given_replicas or self._seen_replicas

    def _add_here(self, ask: _Ask, now: float) -> _Counter:
        counter = self._here.pop(ask.name, _UNUSED).at(int(now // ask.window))
        counter = _Counter(counter.index, counter.count + 1, counter.before)
        self._here[ask.name] = counter
        while len(self._here) > _MOST_COUNTERS:
            self._here.popitem(last=False)
        return counter


def _used(ask: _Ask, counter: _Counter, now: float) -> int:
    share = 1.0 if ask.strict else 1 - (now / ask.window - counter.index)
    return counter.count + math.floor(counter.before * share)


def _allowance(ask: _Ask, amount: int, counter: _Counter, now: float, *, granted: bool) -> RateAllowance:
    passed = now / ask.window - counter.index  # of this window, from 0 to 1
    left = 1 - passed
    if ask.strict and counter.count >= amount:  # they count in the next window too
        left += 1
    elif not ask.strict and not granted and counter.count < amount:  # the share of the window before gets smaller
        left = min(left, max(0.0, 1 - (amount - counter.count) / counter.before - passed))
    remaining = max(0, amount - _used(ask, counter, now))
    return RateAllowance(ask.rate, remaining, max(1, math.ceil(left * ask.window)), granted)
