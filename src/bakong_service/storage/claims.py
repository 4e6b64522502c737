"""Which payments the watcher looks at now: claimed under a lease, by whoever comes first, and never by two at once.

A claim raises the row's fence. What is written later must show that fence: who lost the lease has lost the say.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import Connection, func, select, update

from bakong_service.domain.watching import Priority
from bakong_service.storage.columns import microseconds
from bakong_service.storage.schema import payments

LEASE = timedelta(seconds=30)


@frozen(kw_only=True)
class Claimed:
    """A payment that is ours to look at until the lease ends."""

    id: int
    md5: str
    fence: int
    status: str
    deadline_at: datetime
    priority: int
    reason: str | None  # why it is looked at


def claim(connection: Connection, *, limit: int, now: datetime) -> list[Claimed]:
    """Claim at most `limit` payments that are due, by priority, then the longest due."""
    claimed: list[Claimed] = []
    # One walk along the index for each: ordering by both columns would sort all that is due.
    for priority in Priority.EVERY:
        if left := limit - len(claimed):
            claimed += _claim(connection, priority, left, now)
    return claimed


def _claim(connection: Connection, priority: int, limit: int, now: datetime) -> list[Claimed]:
    due = (
        select(payments.c.id)
        .where(
            payments.c.priority == priority,
            payments.c.next_check_at.is_not(None),
            payments.c.next_check_at <= now,
            payments.c.lease_until < microseconds(now),
        )
        .order_by(payments.c.next_check_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(due).scalars())
    if not ids:
        return []
    taken = connection.execute(
        update(payments)
        .where(payments.c.id.in_(ids))
        .values(lease_until=microseconds(now + LEASE), fence=payments.c.fence + 1)
        .returning(
            payments.c.id,
            payments.c.md5,
            payments.c.fence,
            payments.c.status,
            payments.c.deadline_at,
            payments.c.priority,
            payments.c.next_check_reason.label("reason"),
        )
    )
    return [Claimed(**row) for row in taken.mappings()]


def release(connection: Connection, claimed: Iterable[Claimed]) -> None:
    """Give back what was claimed and not looked at: it is due again at once."""
    for each in claimed:
        ours = update(payments).where(payments.c.id == each.id, payments.c.fence == each.fence)
        connection.execute(ours.values(lease_until=0))


def release_all(connection: Connection) -> None:
    """Give back everything: for the one process of a SQLite file, whose predecessor may have died with its leases."""
    held = update(payments).where(payments.c.next_check_at.is_not(None), payments.c.lease_until > 0)
    connection.execute(held.values(lease_until=0))


def next_due(connection: Connection) -> datetime | None:
    """When the next payment is to be looked at; None when none is. It may be one that is claimed already."""
    soonest = [
        select(func.min(payments.c.next_check_at).label("at"))
        .where(payments.c.priority == priority, payments.c.next_check_at.is_not(None))
        .scalar_subquery()
        for priority in Priority.EVERY
    ]
    moments = [at for at in connection.execute(select(*soonest)).one() if at is not None]
    return min(moments, default=None)


def count_open(connection: Connection, *, at_most: int) -> int:
    """How many payments are open; it stops counting at `at_most`."""
    some = select(payments.c.id).where(payments.c.status == "pending").limit(at_most)
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()
