"""The day's calls, and which looks are worth one. A day is Phnom Penh's, where Bakong counts them (UTC+7 all year).

A tenth of the day is kept for hints, and one call for each open payment, so that each is looked at after its deadline.
"""

from datetime import datetime, timedelta, timezone

from attrs import frozen

from bakong_service.domain.watching import Mode, Priority

PHNOM_PENH = timezone(timedelta(hours=7), "Asia/Phnom_Penh")
LOOKS_PER_PAYMENT = 54
"""Calls that a payment costs when it is looked at every few seconds until it is paid (20,000 payments, a model)."""
STARVED_LOOKS_PER_PAYMENT = 1.7
"""The same with hints and the few looks that matter: 61 payments for 100 calls."""
_PAYMENTS_TO_COME = 10  # what has to be affordable, at the least, before anything is looked at every few seconds


def day_of(now: datetime) -> str:
    """The day in Phnom Penh: `"2026-11-01"`."""
    return now.astimezone(PHNOM_PENH).date().isoformat()


def next_day(now: datetime) -> datetime:
    """When the next day in Phnom Penh begins."""
    tomorrow = now.astimezone(PHNOM_PENH) + timedelta(days=1)
    return tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)


@frozen(kw_only=True)
class Allowance:
    """The calls of one day. `limit` None: as many as wanted. `blocked_until`: Bakong said that the quota is spent."""

    day: str
    limit: int | None
    used: int
    blocked_until: datetime | None = None

    @property
    def remaining(self) -> int | None:
        """Calls left; None where there is no limit."""
        return None if self.limit is None else max(self.limit - self.used, 0)

    @property
    def payments_affordable(self) -> int | None:
        """How many payments the rest of the day can carry when calls are spent sparingly; None without a limit."""
        return None if self.remaining is None else int(self.remaining / STARVED_LOOKS_PER_PAYMENT)

    def is_blocked(self, now: datetime) -> bool:
        """Whether Bakong said that the quota is spent, and the next probe isn't due."""
        return self.blocked_until is not None and now < self.blocked_until

    def is_starved(self, open_payments: int, mode: Mode) -> bool:
        """Whether the rest of the day is too little for looking at everything every few seconds."""
        if self.remaining is None:
            return self.blocked_until is not None
        in_calls = -(-open_payments // 50) if mode is Mode.BULK else open_payments
        return self.remaining < LOOKS_PER_PAYMENT * (in_calls + _PAYMENTS_TO_COME)

    def mode(self, doors: Mode, open_payments: int) -> Mode:
        """How payments are looked at, with Bakong's doors as they are and the calls that are left."""
        if doors is Mode.BLOCKED:
            return doors
        return Mode.STARVED if self.is_starved(open_payments, doors) else doors

    def permits(self, priority: int, *, open_payments: int, now: datetime) -> bool:
        """Whether a look of this priority may spend a call now."""
        if self.is_blocked(now):
            return False
        if self.limit is None or self.remaining is None or priority == Priority.HINT:
            return self.remaining != 0
        kept = self.limit // 10
        if priority != Priority.LOOK_BACK:
            kept += min(open_payments, self.limit // 2)
        return self.remaining > kept
