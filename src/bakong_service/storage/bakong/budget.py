"""The calls of each day, counted in the database for all replicas, by conditional updates only."""

from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from bakong_service.domain.allowance import Allowance, day_of
from bakong_service.storage.engine.inserting import insert_new
from bakong_service.storage.schema import provider_budget as budget


def spend(connection: Connection, *, limit: int | None, calls: int, kept: int = 0, now: datetime) -> bool:
    """Take calls from today's, and leave at least `kept` of them. Return whether that was possible.

    Return False, and take none, if too few are left or if Bakong said that the quota is used up. The database decides,
    so that all replicas together keep the calls for hints.
    """
    day = day_of(now)
    insert_new(connection, budget, {"day": day, "limit": limit, "used": 0})
    taken = connection.execute(
        update(budget)
        .where(
            budget.c.day == day,
            or_(budget.c.limit.is_(None), budget.c.used + calls + kept <= budget.c.limit),
            or_(budget.c.blocked_until.is_(None), budget.c.blocked_until <= now),
        )
        .values(used=budget.c.used + calls)
    )
    return taken.rowcount == 1


def read(connection: Connection, *, limit: int | None, now: datetime) -> Allowance:
    """Return today's calls. A day without a row has used none of `limit`."""
    day = day_of(now)
    row = connection.execute(select(budget).where(budget.c.day == day)).mappings().one_or_none()
    return Allowance(day=day, limit=limit, used=0) if row is None else Allowance(**row)


def set_limit(connection: Connection, *, limit: int | None, now: datetime) -> None:
    """Set today's limit to a changed setting, but never below the calls that were used already."""
    day = day_of(now)
    if not insert_new(connection, budget, {"day": day, "limit": limit, "used": 0}):
        used = connection.execute(select(budget.c.used).where(budget.c.day == day).with_for_update()).scalar_one()
        new = None if limit is None else max(limit, used)
        connection.execute(update(budget).where(budget.c.day == day).values(limit=new))


def block(connection: Connection, *, limit: int | None, until: datetime, now: datetime) -> None:
    """Allow no call before `until`, because Bakong said that the quota is used up."""
    day = day_of(now)
    insert_new(connection, budget, {"day": day, "limit": limit, "used": 0})
    connection.execute(update(budget).where(budget.c.day == day).values(blocked_until=until))
