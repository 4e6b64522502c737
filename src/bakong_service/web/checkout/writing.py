"""Values as people in Cambodia write them: amounts, times in Phnom Penh, a masked account."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from bakong_khqr.money import Currency, format_amount

_PHNOM_PENH = timezone(timedelta(hours=7))  # without summer time since 1979
_SHOWN = 2  # characters of an account's name


def amount(value: Decimal, currency: str) -> str:
    """Return an amount: `$ 2.50`, `៛ 10,000`."""
    return format_amount(value, Currency(currency))


def moment(at: datetime) -> str:
    """Return a date and a time in Phnom Penh, day first: `01/11/2026 19:05`."""
    return f"{at.astimezone(_PHNOM_PENH):%d/%m/%Y %H:%M}"


def clock(at: datetime) -> str:
    """Return a time of day in Phnom Penh: `19:05`."""
    return f"{at.astimezone(_PHNOM_PENH):%H:%M}"


def masked(account: str) -> str:
    """Return an account of which its owner recognises the beginning and the bank: `so•••@aclb`."""
    name, at, bank = account.partition("@")
    return f"{name[:_SHOWN]}•••{at}{bank}"
