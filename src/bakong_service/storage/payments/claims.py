"""The watcher's claims: the payments that it looks at now. Because of leases two workers never have the same payment.

A claim raises the row's fence. A worker must show that fence to write its result; if it lost the lease, the fence has
changed, and its result is ignored.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import Connection, and_, func, or_, select, update

from bakong_service.domain.look import LookReason
from bakong_service.domain.watching import REVIEW_EVERY, REVIEW_OPENED_BEFORE, Priority
from bakong_service.storage.engine.columns import microseconds
from bakong_service.storage.schema import payments, review_items

LEASE = timedelta(seconds=30)


@frozen(kw_only=True)
class Claimed:
    """A payment that the caller may look at until the lease ends."""

    id: int
    md5: str
    fence: int
    status: str
    deadline_at: datetime
    watch_until: datetime
    priority: int
    reason: str | None  # why it is looked at


def claim(connection: Connection, *, limit: int, now: datetime) -> list[Claimed]:
    """Claim at most `limit` payments that are due: by priority, and then those that have been due for longest."""
    claimed: list[Claimed] = []
    # One query along the index for each priority: ordering by both columns would sort all rows that are due.
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
            payments.c.watch_until,
            payments.c.priority,
            payments.c.next_check_reason.label("reason"),
        )
    )
    return [Claimed(**row) for row in taken.mappings()]


def revisit(connection: Connection, *, limit: int, now: datetime) -> None:
    """Make at most `limit` closed payments due for a look because of their review items.

    A payment is looked at when an item was opened or resolved after Bakong was last asked for it, and once a day while
    an item is open: more money may have come, and nothing else would ask.
    """
    seen_at, opened_at, resolved_at = payments.c.last_check_at, review_items.c.opened_at, review_items.c.resolved_at
    opened = and_(
        resolved_at.is_(None),
        opened_at <= now - REVIEW_OPENED_BEFORE,
        or_(seen_at.is_(None), seen_at <= opened_at, seen_at <= now - REVIEW_EVERY),
    )
    resolved = and_(
        resolved_at <= now,
        review_items.c.action != "answered",  # Bakong's answer to the last look resolved the item
        or_(seen_at.is_(None), seen_at <= resolved_at),
    )
    query = (
        select(payments.c.id)
        .where(
            payments.c.next_check_at.is_(None),
            payments.c.id.in_(select(review_items.c.payment_id).where(or_(opened, resolved))),
        )
        .order_by(payments.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if ids := list(connection.execute(query).scalars()):
        due = {"next_check_at": now, "next_check_reason": LookReason.REVIEW, "priority": Priority.LOOK_BACK}
        connection.execute(update(payments).where(payments.c.id.in_(ids)).values(due))


def release(connection: Connection, claimed: Iterable[Claimed]) -> None:
    """Release payments that were claimed but not looked at, so that they are due again at once."""
    for each in claimed:
        ours = update(payments).where(payments.c.id == each.id, payments.c.fence == each.fence)
        connection.execute(ours.values(lease_until=0))


def put_off(connection: Connection, claimed: Iterable[Claimed], *, until: datetime) -> None:
    """Release claimed payments, and make them due again at `until`."""
    for each in claimed:
        ours = update(payments).where(payments.c.id == each.id, payments.c.fence == each.fence)
        connection.execute(ours.values(lease_until=0, next_check_at=until))


def release_all(connection: Connection) -> None:
    """Release all payments: for the only process of a SQLite file, whose predecessor may have died with its leases."""
    held = update(payments).where(payments.c.next_check_at.is_not(None), payments.c.lease_until > 0)
    connection.execute(held.values(lease_until=0))


def next_due(connection: Connection) -> datetime | None:
    """Return when the next payment is due; None if none is. It may be a payment that is claimed already."""
    soonest = [
        select(func.min(payments.c.next_check_at).label("at"))
        .where(payments.c.priority == priority, payments.c.next_check_at.is_not(None))
        .scalar_subquery()
        for priority in Priority.EVERY
    ]
    moments = [at for at in connection.execute(select(*soonest)).one() if at is not None]
    return min(moments, default=None)


def count_open(connection: Connection, *, at_most: int) -> int:
    """Return how many payments are open; counting stops at `at_most`."""
    some = select(payments.c.id).where(payments.c.status == "pending").limit(at_most)
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()
