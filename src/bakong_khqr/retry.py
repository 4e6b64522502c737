"""Whether and when a failed call is sent again. This module decides and never sleeps: the clients wait."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import ge, le

from bakong_khqr._kinds import checked_callable
from bakong_khqr.errors import BakongError, RateLimited, ServerUnavailable

# Only errors that pass by themselves. A 401 or 403 would come again, and each further call costs quota.
_WORTH_REPEATING = (ServerUnavailable, RateLimited)


def _check_number(_: object, attribute: Attribute[Any], value: object) -> None:
    kind = int if attribute.name == "attempts" else int | float
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{attribute.name}: must be a number, not {type(value).__name__}")


def _check_random(_: object, __: object, random: Callable[[], float]) -> None:
    checked_callable("random", random)


@frozen(kw_only=True)
class RetryPolicy:
    """How often, and after which pauses, a client repeats a call that failed with a passing error. `attempts=1` never
    repeats.

    Every attempt may cost a call of the daily quota. Pauses double from `first_delay_seconds` up to
    `longest_delay_seconds`, each cut by a random share of up to `jitter`, so that clients that failed together don't
    come back together.
    """

    attempts: int = field(default=3, validator=[_check_number, ge(1)])
    """The most times that one call is sent, the first included."""
    first_delay_seconds: float = field(default=0.5, validator=[_check_number, ge(0)])
    """The pause before the second attempt. Each further pause is twice as long."""
    longest_delay_seconds: float = field(default=30.0, validator=[_check_number, ge(0)])
    """Also the longest `Retry-After` that is waited out. If it is longer, the error is raised, and its `retry_at`
    says when.
    """
    jitter: float = field(default=0.5, validator=[_check_number, ge(0), le(1)])
    """The largest share of a pause that is cut off at random, from 0 to 1."""
    random: Callable[[], float] = field(default=random.random, repr=False, validator=_check_random)
    """Gives a number in [0, 1); for tests."""

    def delay_seconds(self, attempt: int, error: BakongError, now: datetime) -> float | None:
        """Return the pause before the next attempt, in seconds; `None` if there should be none.

        `attempt` counts from 1 and is the one that failed with `error`.
        """
        if attempt >= self.attempts or not isinstance(error, _WORTH_REPEATING):
            return None
        delay = min(self.first_delay_seconds * 2.0 ** min(attempt - 1, 32), self.longest_delay_seconds)
        delay *= 1 - self.jitter * self.random()
        if error.retry_at is None:
            return delay
        # The pause that Bakong asked for is the least; the jitter is added to it.
        asked = max((error.retry_at - now).total_seconds(), 0.0)
        return None if asked > self.longest_delay_seconds else asked + delay
