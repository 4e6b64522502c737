"""The periods that were paid for. The key (subscription, number) keeps one from being sold twice."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, update

from bakong_service.domain.money import Money
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Period
from bakong_service.storage import plans as plan_rows
from bakong_service.storage.inserting import insert_new
from bakong_service.storage.schema import plans, subscription_periods

_periods = subscription_periods.c


_SELECT = select(
    _periods.n, _periods.starts_at, _periods.ends_at, _periods.payment_id, _periods.reversed_at,
    _periods.price_minor.label("paid_minor"), *plans.c,
).join(plans, (plans.c.code == _periods.plan) & (plans.c.version == _periods.plan_version))  # fmt: skip


def from_number(connection: Connection, subscription_id: int, number: int) -> list[Period]:
    """The paid periods from `number` on, in order, without those that were given back."""
    query = _SELECT.where(
        _periods.subscription_id == subscription_id, _periods.n >= number, _periods.reversed_at.is_(None)
    )
    return _all(connection, query.order_by(_periods.n))


def bought_by(connection: Connection, payment_id: int) -> Period | None:
    """The period that a payment bought, unless it was given back."""
    found = _all(connection, _SELECT.where(_periods.payment_id == payment_id, _periods.reversed_at.is_(None)))
    return found[0] if found else None


def _all(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Period]:
    return [
        Period(
            number=row["n"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            plan=plan_rows.read(row),
            price=Money(row["paid_minor"], row["currency"]),
            payment_id=row["payment_id"],
            reversed_at=row["reversed_at"],
        )
        for row in connection.execute(query).mappings()
    ]


def add(connection: Connection, subscription_id: int, period: Period, *, now: datetime) -> bool:
    """Sell a period; False where its number is sold. One that was given back before it began may be sold again."""
    facts = {
        "starts_at": period.starts_at,
        "ends_at": period.ends_at,
        "plan": period.plan.code,
        "plan_version": period.plan.version,
        "payment_id": period.payment_id,
        "price_minor": period.price.minor,
        "currency": period.price.currency,
        "created_at": now,
        "reversed_at": None,
    }
    row = {"subscription_id": subscription_id, "n": period.number, **facts}
    if insert_new(connection, subscription_periods, row):
        return True
    sold_again = connection.execute(
        update(subscription_periods)
        .where(
            _periods.subscription_id == subscription_id,
            _periods.n == period.number,
            _periods.reversed_at.is_not(None),
        )
        .values(**facts)
    )
    return sold_again.rowcount == 1


def switch(connection: Connection, subscription_id: int, numbers: Iterable[int], plan: Plan) -> None:
    """Put another plan in force in these periods; what they were bought for stays."""
    connection.execute(
        update(subscription_periods)
        .where(_periods.subscription_id == subscription_id, _periods.n.in_(list(numbers)))
        .values(plan=plan.code, plan_version=plan.version)
    )


def give_back(connection: Connection, subscription_id: int, payment_id: int, *, now: datetime) -> None:
    """Mark the last paid period as given back by this payment, whichever it bought.

    Each period between becomes the next payment's, which so still has one to give back when it is refunded too. The
    plans in force stay where they are.
    """
    bought = bought_by(connection, payment_id)
    assert bought is not None
    row = from_number(connection, subscription_id, bought.number)
    of_these = (_periods.subscription_id == subscription_id) & _periods.n.in_([period.number for period in row])
    # A payment has one period at any moment, says the key: first none of them has one.
    connection.execute(update(subscription_periods).where(of_these).values(payment_id=None))
    for period, buyer in zip(row, [*row[1:], bought], strict=True):
        connection.execute(
            update(subscription_periods)
            .where(_periods.subscription_id == subscription_id, _periods.n == period.number)
            .values(
                payment_id=buyer.payment_id,
                price_minor=buyer.price.minor,
                reversed_at=now if buyer is bought else None,
            )
        )
