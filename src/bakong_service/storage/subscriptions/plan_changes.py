"""Every immediate change of plan, with each period as it was before. A refund uses this to take the change back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from attrs import frozen
from sqlalchemy import Connection, insert, select, update

from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.subscription import Period
from bakong_service.domain.value import prorated, remaining, rounded
from bakong_service.storage.schema import plan_changes

_changes = plan_changes.c
_MICROSECOND = timedelta(microseconds=1)


@frozen(kw_only=True)
class PeriodBefore:
    """One period as it was before a change: its plan version, exactly what it held, and its time that was left."""

    period_id: int
    plan: str
    plan_version: int
    value: Fraction
    remaining: timedelta

    def worth(self, time: timedelta) -> int:
        """Return what `time`, a part of the period, was worth before the change, in minor units."""
        return rounded(prorated(self.value, time, self.remaining))


@frozen(kw_only=True)
class PlanChange:
    """An immediate change of plan."""

    id: int
    payment_id: int | None  # None if nothing had to be paid
    before: tuple[PeriodBefore, ...]
    at: datetime


def add(
    connection: Connection,
    identifiers: Identifiers,
    *,
    subscription_id: int,
    subscription_version: int,
    payment_id: int | None,
    before: Sequence[Period],
    waived: int,
    now: datetime,
) -> None:
    """Write a change.

    `before` are the periods as they were, valued at `now`; `waived` is the amount that nobody paid.
    """
    row = {
        "id": identifiers.number(now),
        "subscription_id": subscription_id,
        "subscription_version": subscription_version,
        "payment_id": payment_id,
        "before": [
            {
                "period": period.id,
                "plan": period.plan.code,
                "version": period.plan.version,
                "value": str(period.value),
                "remaining_microseconds": remaining(period, now) // _MICROSECOND,
            }
            for period in before
        ],
        "waived": waived,
        "at": now,
    }
    connection.execute(insert(plan_changes).inline(), row)


def latest(connection: Connection, subscription_id: int) -> PlanChange | None:
    """Return the newest change that no refund has taken back."""
    query = (
        select(plan_changes)
        .where(_changes.subscription_id == subscription_id, _changes.reversed_at.is_(None))
        .order_by(_changes.subscription_version.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    before = tuple(
        PeriodBefore(
            period_id=each["period"],
            plan=each["plan"],
            plan_version=each["version"],
            value=Fraction(each["value"]),
            remaining=timedelta(microseconds=each["remaining_microseconds"]),
        )
        for each in row.before
    )
    return PlanChange(id=row.id, payment_id=row.payment_id, before=before, at=row.at)


def reverse(connection: Connection, change_id: int, *, now: datetime) -> None:
    """Mark a change as taken back."""
    connection.execute(update(plan_changes).where(_changes.id == change_id).values(reversed_at=now))
