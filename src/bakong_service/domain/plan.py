"""What is sold: a plan at a price for a period. A price change is a new version; a version never changes."""

from datetime import datetime, timedelta

from attrs import frozen

from bakong_service.domain.money import Money

PERIOD = timedelta(days=30)
"""Thirty days of 86,400 seconds: no calendar months, no local time."""


@frozen(kw_only=True)
class Plan:
    """One version of a plan."""

    id: int
    code: str  # "PREMIUM"
    version: int
    name: str
    price: Money
    period: timedelta = PERIOD
    created_at: datetime
