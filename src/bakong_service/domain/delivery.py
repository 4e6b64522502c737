"""A webhook's delivery: its attempts, and when the next is due."""

from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen


class DeliveryState(StrEnum):
    """How far a delivery is. `failed` is a dead letter: it can be replayed, and its event stays in the feed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """What an attempt's answer means."""

    DELIVERED = "delivered"
    RETRY = "retry"
    GONE = "gone"  # the endpoint says that it wants no more


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
    replay: int  # 0: the delivery that keeps the order; n: the event's nth replay, outside of it
    attempts: int
    next_attempt_at: datetime | None  # none while it waits for an earlier event of its subject, and at the end
    last_status: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


@frozen(kw_only=True)
class Answer:
    """What came back from one attempt: an HTTP status, or an error that names what went wrong before one came."""

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
    """When a delivery is tried: `steps` are the waits before attempt 1, 2, and so on; after the last it has failed."""

    steps: tuple[timedelta, ...]
    jitter: float = 0.0  # each wait may be this fraction longer or shorter, so that many don't come back at once
    stretch: int = 1  # how many times longer Retry-After may make a wait; 1: it isn't listened to

    def wait(self, attempts: int, *, retry_after: timedelta | None, chance: float) -> timedelta | None:
        """How long to wait after `attempts` attempts; None after the last. `chance` is random, from -1 to 1."""
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
    # 13 attempts in about three days: a weekend's outage loses nothing.
    "default": Schedule(
        steps=_seconds(
            0, 1, 2, 4, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR,
            24 * _HOUR,
        ),
        jitter=0.2,
        stretch=2,
    ),
    # Three retries, then failed: what the original service's requirements ask for.
    "compat": Schedule(steps=_seconds(0, 1, 2, 4)),
}  # fmt: skip

SECRET_OVERLAP = timedelta(hours=24)
"""How long a replaced secret keeps signing beside the new one."""

FAILING_FOR = timedelta(days=5)
FAILING_ATTEMPTS = 20
"""An endpoint that did nothing but fail for so long, and so often, is disabled."""


def is_given_up(*, failing_since: datetime, failures: int, now: datetime) -> bool:
    """Whether an endpoint has failed for so long that it is to be disabled."""
    return failures >= FAILING_ATTEMPTS and now - failing_since >= FAILING_FOR
