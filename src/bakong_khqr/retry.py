"""Whether and when a failed call is sent again. Decides and never sleeps: the clients do the waiting."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from attrs import field, frozen
from attrs.validators import ge, le

from bakong_khqr.errors import BakongError, RateLimited, ServerUnavailable

# Only what passes by itself. A 401 or 403 answers the same again, and a spent quota is only spent further.
_WORTH_REPEATING = (ServerUnavailable, RateLimited)


@frozen(kw_only=True)
class RetryPolicy:
    """How often, and after which pauses, a call that failed in passing is sent again. `attempts=1` never repeats.

    Every attempt may cost a call of the daily quota. Pauses double from `first_delay_seconds` up to
    `longest_delay_seconds`, each cut by a random share of up to `jitter`, so that clients that failed together don't
    come back together.
    """

    attempts: int = field(default=3, validator=ge(1))
    """The most times that one call is sent, the first included."""
    first_delay_seconds: float = field(default=0.5, validator=ge(0))
    longest_delay_seconds: float = field(default=30.0, validator=ge(0))
    """Also the longest `Retry-After` that is waited out. A longer one is the caller's, in the error's `retry_at`."""
    jitter: float = field(default=0.5, validator=[ge(0), le(1)])
    random: Callable[[], float] = field(default=random.random, repr=False)
    """Gives a number in [0, 1); for tests."""

    def delay_seconds(self, attempt: int, error: BakongError, now: datetime) -> float | None:
        """The pause before the next attempt, in seconds; None when there should be none.

        `attempt` counts from 1 and is the one that failed with `error`.
        """
        if attempt >= self.attempts or not isinstance(error, _WORTH_REPEATING):
            return None
        delay = min(self.first_delay_seconds * 2.0 ** min(attempt - 1, 32), self.longest_delay_seconds)
        delay *= 1 - self.jitter * self.random()
        if error.retry_at is None:
            return delay
        # What Bakong asked for is the least; the jitter comes on top.
        asked = max((error.retry_at - now).total_seconds(), 0.0)
        return None if asked > self.longest_delay_seconds else asked + delay
