"""The day's calls to Bakong, and which looks may use one. A day is a day in Phnom Penh (UTC+7 all year).

A tenth of the day's calls is kept for hints, and one call for each open payment, for a look after its deadline.
"""

from datetime import datetime, timedelta, timezone

from attrs import frozen

from bakong_service.domain.watching import Mode, Priority

PHNOM_PENH = timezone(timedelta(hours=7), "Asia/Phnom_Penh")
LOOKS_PER_PAYMENT = 54
"""Calls per payment if it is looked at every few seconds until it is paid (a model of 20,000 payments)."""
STARVED_LOOKS_PER_PAYMENT = 1.7
"""Calls per payment with hints and a few fixed looks: 100 calls are enough for 61 payments."""
_PAYMENTS_TO_COME = 10  # further payments that the calls must be enough for, or the mode is `STARVED`


def day_of(now: datetime) -> str:
    """Return the day in Phnom Penh: `"2026-11-01"`."""
    return now.astimezone(PHNOM_PENH).date().isoformat()


def next_day(now: datetime) -> datetime:
    """Return when the next day in Phnom Penh begins."""
    tomorrow = now.astimezone(PHNOM_PENH) + timedelta(days=1)
    return tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)


@frozen(kw_only=True)
class Allowance:
    """The calls of one day. `limit` is None if there is no limit; `blocked_until` is set if the quota is used up."""

    day: str
    limit: int | None
    used: int
    blocked_until: datetime | None = None

    @property
    def remaining(self) -> int | None:
        """The calls that are left; None if there is no limit."""
        return None if self.limit is None else max(self.limit - self.used, 0)

    @property
    def payments_affordable(self) -> int | None:
        """How many payments the rest of the day's calls is enough for, with few looks each; None without a limit."""
        return None if self.remaining is None else int(self.remaining / STARVED_LOOKS_PER_PAYMENT)

    def is_blocked(self, now: datetime) -> bool:
        """Return whether Bakong said that the quota is used up, and the next probe isn't due yet."""
        return self.blocked_until is not None and now < self.blocked_until

    def is_starved(self, open_payments: int, mode: Mode) -> bool:
        """Return whether the rest of the day's calls is too small to look at every open payment every few seconds."""
        if self.remaining is None:
            return self.blocked_until is not None
        in_calls = -(-open_payments // 50) if mode is Mode.BULK else open_payments
        return self.remaining < LOOKS_PER_PAYMENT * (in_calls + _PAYMENTS_TO_COME)

    def mode(self, doors: Mode, open_payments: int) -> Mode:
        """Return how payments are looked at. `doors` is the mode that Bakong's access allows."""
        if doors is Mode.BLOCKED:
            return doors
        return Mode.STARVED if self.is_starved(open_payments, doors) else doors

    def permits(self, priority: int, *, open_payments: int, now: datetime) -> bool:
        """Return whether a look of this priority may use a call now."""
        if self.is_blocked(now):
            return False
        return self.remaining is None or self.remaining > self.kept(priority, open_payments)

    def kept(self, priority: int, open_payments: int) -> int:
        """Return how many of the day's calls a look of this priority has to leave for others."""
        if self.limit is None or priority == Priority.HINT:
            return 0
        for_hints = self.limit // 10
        if priority == Priority.LOOK_BACK:
            return for_hints
        return for_hints + min(open_payments, self.limit // 2)
