"""A webhook's delivery, its attempts, and when the next attempt is due."""

from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen


class DeliveryState(StrEnum):
    """The state of a delivery. `failed` is a dead letter: it can be replayed, and its event stays in the feed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """What an attempt's answer means."""

    DELIVERED = "delivered"
    RETRY = "retry"
    GONE = "gone"  # the endpoint doesn't want any more events


@frozen(kw_only=True)
class Delivery:
    """One event on its way to one endpoint."""

    id: int
    reference: str
    event: str  # evt_…
    event_type: str
    endpoint: str  # we_…
    subject: str
    sequence: int
    state: DeliveryState
    replay: int  # 0: the first delivery, in order; n: the event's n-th replay, outside the order
    attempts: int
    next_attempt_at: datetime | None  # None while an earlier event comes first, and at the end
    last_status: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


@frozen(kw_only=True)
class AttemptResult:
    """The result of one attempt: an HTTP status, or an error if no status came."""

    status: int | None
    error: str | None
    retry_after: str | None = None  # the header as it came
    response: str | None = None  # at most 2 kB
    duration: timedelta


@frozen(kw_only=True)
class Attempt:
    """An attempt as it was recorded."""

    status: int | None
    error: str | None
    duration_ms: int
    response: str | None
    at: datetime


@frozen(kw_only=True)
class Schedule:
    """When a delivery is tried.

    `steps` are the waits before attempts 1, 2, ...; after the last attempt it has failed.
    """

    steps: tuple[timedelta, ...]
    jitter: float = 0.0  # each wait may be longer or shorter by this fraction, so that deliveries spread out
    stretch: int = 1  # how many times longer Retry-After may make a wait; 1: Retry-After is ignored

    def wait(self, attempts: int, *, retry_after: timedelta | None, chance: float) -> timedelta | None:
        """Return how long to wait after `attempts` attempts; None after the last. `chance` is random, from -1 to 1."""
        if attempts >= len(self.steps):
            return None
        step = self.steps[attempts]
        if retry_after is not None and self.stretch > 1:
            return min(max(retry_after, step), step * self.stretch)
        return step * (1 + self.jitter * chance)


def _seconds(*steps: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=step) for step in steps)


_MINUTE, _HOUR = 60, 3600
SCHEDULES = {
    # 13 attempts in about three days, so that an outage over a weekend loses nothing.
    "default": Schedule(
        steps=_seconds(
            0, 1, 2, 4, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR,
            24 * _HOUR,
        ),
        jitter=0.2,
        stretch=2,
    ),
    # Three retries within seconds, for a main backend that expects no delivery later than that.
    "compat": Schedule(steps=_seconds(0, 1, 2, 4)),
}  # fmt: skip

SECRET_OVERLAP = timedelta(hours=24)
"""How long a replaced secret keeps signing beside the new one."""

FAILING_FOR = timedelta(days=5)
FAILING_ATTEMPTS = 20
"""If every attempt at an endpoint failed for so long, and at least so often, the endpoint is disabled."""


def is_given_up(*, failing_since: datetime, failures: int, now: datetime) -> bool:
    """Return whether an endpoint has failed for so long, and so often, that it must be disabled."""
    return failures >= FAILING_ATTEMPTS and now - failing_since >= FAILING_FOR
