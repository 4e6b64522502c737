"""When a period ends. Every end of a period is computed here, once, and then stored with the period."""

from datetime import datetime

from bakong_service.domain.plan import Plan


def end_of_period(starts_at: datetime, plan: Plan) -> datetime:
    """Return the end of a whole period of `plan`: a fixed number of seconds later, without regard to the calendar."""
    return starts_at + plan.period
