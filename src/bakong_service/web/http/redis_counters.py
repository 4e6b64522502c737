"""Counts requests in Redis, for all replicas together.

One script counts all requests of a moment, in its own thread, so that a busy event loop doesn't look like a slow Redis.
Only a service with a Redis loads this module.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import redis
import structlog
from attrs import frozen
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bakong_service.settings import Secret
from bakong_service.web.http.counters import Ask, Counter

log = structlog.get_logger(__name__)

_REDIS_SECONDS = 0.05
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
class Counted:
    """What Redis knows after it counted: the replicas, its time in seconds, and for each request whether it was granted
    and the requests of all replicas.
    """

    replicas: int
    now: float
    counters: list[tuple[bool, Counter]]


class RedisCounters:
    """The counters that all replicas share."""

    def __init__(self, url: Secret, away_seconds: float) -> None:
        self._replica = uuid4().hex
        self._away_seconds = away_seconds  # how long the caller then counts by itself, for the log
        self._redis = redis.Redis.from_url(
            url.reveal(),
            socket_timeout=_REDIS_SECONDS,
            socket_connect_timeout=_REDIS_SECONDS,
            max_connections=1,
            retry=Retry(NoBackoff(), 0),
        )
        self._script = self._redis.register_script(_SCRIPT)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="limiter")

    def close(self) -> None:
        """Close the connection."""
        self._thread.shutdown(wait=False)
        self._redis.close()

    async def count(self, asked: Sequence[tuple[Ask, Counter]]) -> Counted | None:
        """Count the requests that are granted. With each comes what this replica itself counted under its name.

        Return None if Redis is away: it didn't answer within 50 ms, or answered with an error.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._count, asked)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("redis_away", error=type(error).__name__, seconds=self._away_seconds)
            return None

    def _count(self, asked: Sequence[tuple[Ask, Counter]]) -> Counted:
        keys = [f"{_PREFIX}replicas", *(_PREFIX + ask.name for ask, _ in asked)]
        arguments: list[str | int] = [self._replica, _REPLICA_SECONDS]
        for ask, own in asked:
            arguments += [ask.rate.amount, ask.window, int(ask.strict), own.index, own.count, own.before]
        replicas, told, *flat = self._script(keys=keys, args=arguments)
        now, counters = float(told), []
        for (ask, _), start in zip(asked, range(0, len(flat), 3), strict=True):
            granted, count, before = (int(each) for each in flat[start : start + 3])
            counters.append((granted == 1, Counter(int(now // ask.window), count, before)))
        return Counted(max(1, int(replicas)), now, counters)
