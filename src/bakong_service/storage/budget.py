"""The calls of each day, counted in the database: restarts and replicas forget none. Conditional updates only."""

from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from bakong_service.domain.allowance import Allowance, day_of
from bakong_service.storage.inserting import insert_new
from bakong_service.storage.schema import provider_budget as budget


def spend(connection: Connection, *, limit: int | None, calls: int, now: datetime) -> bool:
    """Take calls from today; False, and none taken, where that many aren't left or Bakong said that none are."""
    day = day_of(now)
    insert_new(connection, budget, {"day": day, "limit": limit, "used": 0})
    taken = connection.execute(
        update(budget)
        .where(
            budget.c.day == day,
            or_(budget.c.limit.is_(None), budget.c.used + calls <= budget.c.limit),
            or_(budget.c.blocked_until.is_(None), budget.c.blocked_until <= now),
        )
        .values(used=budget.c.used + calls)
    )
    return taken.rowcount == 1


def read(connection: Connection, *, limit: int | None, now: datetime) -> Allowance:
    """Today's calls. A day that has none yet has all of `limit` left."""
    day = day_of(now)
    row = connection.execute(select(budget).where(budget.c.day == day)).mappings().one_or_none()
    return Allowance(day=day, limit=limit, used=0) if row is None else Allowance(**row)


def set_limit(connection: Connection, *, limit: int | None, now: datetime) -> None:
    """Take over a limit that the settings changed. What is spent already stays within it."""
    day = day_of(now)
    if not insert_new(connection, budget, {"day": day, "limit": limit, "used": 0}):
        used = connection.execute(select(budget.c.used).where(budget.c.day == day).with_for_update()).scalar_one()
        new = None if limit is None else max(limit, used)
        connection.execute(update(budget).where(budget.c.day == day).values(limit=new))


def block(connection: Connection, *, limit: int | None, until: datetime, now: datetime) -> None:
    """Bakong said that the quota is spent: no call before `until`."""
    day = day_of(now)
    insert_new(connection, budget, {"day": day, "limit": limit, "used": 0})
    connection.execute(update(budget).where(budget.c.day == day).values(blocked_until=until))
