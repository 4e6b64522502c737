"""Paid periods. The key (subscription, number) keeps a period from being sold twice."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Period
from bakong_service.storage.schema import plans, subscription_periods
from bakong_service.storage.subscriptions import plans as plan_rows

_periods = subscription_periods.c

_PERIOD_COLUMNS = (
    _periods.id.label("period_id"), _periods.subscription_id, _periods.n, _periods.starts_at, _periods.ends_at,
    _periods.payment_id, _periods.value, _periods.valued_at,
)  # fmt: skip
_SELECT = select(*_PERIOD_COLUMNS, *plans.c).join(
    plans, (plans.c.code == _periods.plan) & (plans.c.version == _periods.plan_version)
)


def from_number(connection: Connection, subscription_id: int, number: int) -> list[Period]:
    """Return the paid periods from `number` on, in order, without those that a refund removed."""
    query = _SELECT.where(
        _periods.subscription_id == subscription_id, _periods.n >= number, _periods.reversed_at.is_(None)
    )
    return _all(connection, query.order_by(_periods.n))


def by_id(connection: Connection, period_id: int) -> Period:
    """Return one period. Raises `LookupError` if there is none, which is a bug: ids come from our own rows."""
    found = _all(connection, _SELECT.where(_periods.id == period_id))
    if not found:
        raise LookupError(f"there is no period {period_id}")
    return found[0]


def subscriptions_of(connection: Connection, period_ids: Iterable[int]) -> set[int]:
    """Return the ids of the subscriptions that these periods belong to."""
    query = select(_periods.subscription_id).where(_periods.id.in_(tuple(period_ids))).distinct()
    return set(connection.execute(query).scalars())


def _all(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Period]:
    return [
        Period(
            id=row["period_id"],
            number=row["n"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            plan=plan_rows.read(row),
            payment_id=row["payment_id"],
            value=row["value"],
            valued_at=row["valued_at"],
        )
        for row in connection.execute(query).mappings()
    ]


def add(connection: Connection, subscription_id: int, period: Period, *, now: datetime) -> None:
    """Write a period that was sold. The database refuses a number that is sold already."""
    row = {
        "id": period.id,
        "subscription_id": subscription_id,
        "n": period.number,
        "payment_id": period.payment_id,
        "created_at": now,
        **_changing(period),
    }
    connection.execute(insert(subscription_periods).inline(), row)


def save(connection: Connection, periods: Iterable[Period]) -> None:
    """Write the plan, the times and the value of periods, in order, because a number may move down by one."""
    for period in periods:
        connection.execute(
            update(subscription_periods).where(_periods.id == period.id).values(n=period.number, **_changing(period))
        )


def remove(connection: Connection, periods: Iterable[Period], *, now: datetime) -> None:
    """Mark periods as removed by a refund, so that their numbers may be sold again."""
    for period in periods:
        connection.execute(
            update(subscription_periods)
            .where(_periods.id == period.id)
            .values(reversed_at=now, value=period.value, valued_at=period.valued_at)
        )


def _changing(period: Period) -> dict[str, Any]:
    plan: Plan = period.plan
    return {
        "starts_at": period.starts_at,
        "ends_at": period.ends_at,
        "plan": plan.code,
        "plan_version": plan.version,
        "value": period.value,
        "valued_at": period.valued_at,
    }
