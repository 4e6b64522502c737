"""What a shop took in, by day or month of Phnom Penh, currency and plan. Each day equals its reconciliation."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from enum import StrEnum

from attrs import frozen
from sqlalchemy import BigInteger, Connection, func, literal_column, select, type_coerce

from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.money import Money, written
from bakong_service.storage.payments.money_seen import MOMENT, MONEY_SEEN, REFUNDED, came_within
from bakong_service.storage.schema import payments, receipts

LONGEST = timedelta(days=366)
"""The longest time that one report covers."""

_A_DAY = timedelta(days=1)
_SEVEN_HOURS = literal_column("25200000000", BigInteger)  # Phnom Penh is ahead of UTC by so many microseconds
_MICROSECONDS_A_DAY = literal_column("86400000000", BigInteger)
_EPOCH = date(1970, 1, 1)
_COLUMNS = {"applied": "paid_net", "credited": "credited", "refunded": "refunded", "open": "review"}  # by disposition


class Step(StrEnum):
    """How long the time of one line is."""

    DAY = "day"
    MONTH = "month"


@frozen(kw_only=True)
class Takings:
    """The money of one day or month, in one currency, for one plan. Amounts are in major units, as text."""

    period: str  # 2026-11-01, or 2026-11
    currency: str
    plan: str | None  # None: payments without a plan
    paid_net: str  # without what was refunded of it
    refunded: str
    credited: str
    review: str


def takings(connection: Connection, *, since: date, until: date, by: Step) -> list[Takings]:
    """Return the money that came from the day `since` on and before the day `until`, oldest first.

    Money that isn't this shop's (`not_ours`) is in no line. What was refunded counts on the day on which it had come.
    """
    sums: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for day, currency, plan, disposition, amount, refunded in _money(connection, since, until):
        line = sums[str(day)[: 10 if by is Step.DAY else 7], currency, plan or ""]
        line[_COLUMNS[disposition]] += amount - refunded
        line["refunded"] += refunded
    return [
        Takings(
            period=period,
            currency=currency,
            plan=plan or None,
            **{name: written(line[name], currency) for name in _COLUMNS.values()},
        )
        for (period, currency, plan), line in sorted(sums.items())
    ]


def _money(
    connection: Connection, since: date, until: date
) -> list[tuple[date, str, str | None, str, Decimal, Decimal]]:
    """Return the sums by day, currency, plan and disposition: what came, and what of it was refunded."""
    # Written as text: PostgreSQL doesn't see that two parameters of the same value are the same.
    days = (type_coerce(MOMENT, BigInteger) + _SEVEN_HOURS) // _MICROSECONDS_A_DAY
    begins, ends = (datetime.combine(day, time_of_day(), PHNOM_PENH) for day in (since, until))
    which = (*came_within(begins, ends), receipts.c.disposition.in_(_COLUMNS))
    keys = (days, receipts.c.currency, payments.c.plan, receipts.c.disposition)
    whole = (
        select(*keys, func.sum(receipts.c.amount_minor), func.sum(func.coalesce(REFUNDED, 0)))
        .select_from(MONEY_SEEN)
        .where(*which, receipts.c.amount_minor.is_not(None))
        .group_by(*keys)
    )
    # Half a riel has no minor units. Few receipts are like that, and each is read by itself.
    odd = select(*keys, receipts.c.amount).select_from(MONEY_SEEN).where(*which, receipts.c.amount_minor.is_(None))
    found = [
        (_EPOCH + day * _A_DAY, currency, plan, disposition, Money(int(amount), currency).decimal,
         Money(int(refunded), currency).decimal)
        for day, currency, plan, disposition, amount, refunded in connection.execute(whole)
    ]  # fmt: skip
    for day, currency, plan, disposition, amount in connection.execute(odd):
        found.append((_EPOCH + day * _A_DAY, currency, plan, disposition, Decimal(amount), Decimal(0)))
    return found
