"""Subscriptions with their plans, and the leases of the worker that applies what the clock does to them.

A caller that changes a user's subscription takes `lock_user` first, before any payment's row. This lock also protects a
subscription that doesn't exist yet. The next statement sees what the former holder of the lock has committed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, insert, select, text, update

from bakong_service.domain.errors import Conflict
from bakong_service.domain.subscription import LIVE, Status, Subscription
from bakong_service.storage.engine.columns import microseconds
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.schema import plans, subscription_periods, subscriptions
from bakong_service.storage.subscriptions import plans as plan_rows

LEASE = timedelta(seconds=30)
_LOCK_USER = text("SELECT pg_advisory_xact_lock(hashtextextended(:user_id, 7237))")
_PLAN_COLUMNS = [column.name for column in plans.c]
_PLAN, _SCHEDULED = plans.alias("plan"), plans.alias("scheduled")


def lock_user(connection: Connection, user_id: str) -> None:
    """Keep other transactions from changing the user's subscription or credit until this one ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK_USER, {"user_id": user_id})


def live_of(connection: Connection, user_id: str) -> Subscription | None:
    """Return the user's live subscription, if there is one."""
    query = _SELECT.where(subscriptions.c.user_id == user_id, subscriptions.c.status.in_(LIVE))
    return _one(connection, query)


def last_of(connection: Connection, user_id: str) -> Subscription | None:
    """Return the user's newest subscription, live or not. A live one is always the newest."""
    over = subscriptions.c.status.not_in(LIVE)  # first, because ids of one millisecond have no order
    query = _SELECT.where(subscriptions.c.user_id == user_id).order_by(over, subscriptions.c.id.desc()).limit(1)
    return _one(connection, query)


def by_reference(connection: Connection, reference: str) -> Subscription | None:
    """Return a subscription by its public reference."""
    return _one(connection, _SELECT.where(subscriptions.c.reference == reference))


def by_id(connection: Connection, subscription_id: int) -> Subscription | None:
    """Return a subscription by its internal id."""
    return _one(connection, _SELECT.where(subscriptions.c.id == subscription_id))


def page(
    connection: Connection,
    *,
    limit: int,
    below: int | None = None,
    above: int | None = None,
    user_id: str | None = None,
    status: Status | None = None,
    plan: str | None = None,
    period_end_from: datetime | None = None,
    period_end_until: datetime | None = None,
) -> list[Subscription]:
    """Return subscriptions with ids below `below`, newest first, or above `above`, oldest first.

    `period_end_until` is exclusive.
    """
    filters = (subscriptions.c.user_id, user_id), (subscriptions.c.status, status), (subscriptions.c.plan, plan)
    query = newest_first(_SELECT, subscriptions.c.id, *filters, below=below, above=above, limit=limit)
    if period_end_from is not None:
        query = query.where(subscriptions.c.period_end >= period_end_from)
    if period_end_until is not None:
        query = query.where(subscriptions.c.period_end < period_end_until)
    return [_read(row) for row in connection.execute(query).mappings()]


def add(connection: Connection, subscription: Subscription) -> None:
    """Write a new subscription."""
    row = {
        "id": subscription.id,
        "reference": subscription.reference,
        "user_id": subscription.user_id,
        "anchor_at": subscription.anchor_at,
        "created_at": subscription.created_at,
        **_changing(subscription),
    }
    connection.execute(insert(subscriptions).inline(), row)


def save(connection: Connection, subscription: Subscription) -> None:
    """Write a subscription's next version, after its line of history. Raises `Conflict` if the version has changed."""
    changed = connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription.id, subscriptions.c.version == subscription.version - 1)
        .values(**_changing(subscription), lease_until=0)
    )
    if changed.rowcount != 1:
        raise Conflict("version_moved_on", f"{subscription.reference} was changed by somebody else; try again")


def reschedule(connection: Connection, subscription: Subscription) -> None:
    """Write when the clock has something to do next. The version stays."""
    connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription.id)
        .values(next_action=subscription.next_action, next_action_at=subscription.next_action_at, lease_until=0)
    )


def claim_due(connection: Connection, *, limit: int, now: datetime) -> list[int]:
    """Claim subscriptions for which the clock has something to do. Return their ids.

    The lease only saves work: a second worker would find nothing due any more. So there is no fence.
    """
    due = (
        select(subscriptions.c.id)
        .where(
            subscriptions.c.next_action_at.is_not(None),
            subscriptions.c.next_action_at <= now,
            subscriptions.c.lease_until <= microseconds(now),
        )
        .order_by(subscriptions.c.next_action_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if ids := list(connection.execute(due).scalars()):
        leased = update(subscriptions).where(subscriptions.c.id.in_(ids))
        connection.execute(leased.values(lease_until=microseconds(now + LEASE)))
    return ids


def next_due_at(connection: Connection) -> datetime | None:
    """Return when the clock has something to do next for any subscription."""
    soonest: datetime | None = connection.execute(select(func.min(subscriptions.c.next_action_at))).scalar_one()
    return soonest


def _changing(subscription: Subscription) -> dict[str, Any]:
    scheduled = subscription.scheduled_plan
    return {
        "plan": subscription.plan.code,
        "plan_version": subscription.plan.version,
        "status": subscription.status,
        "flags": subscription.flags,
        "version": subscription.version,
        "period_number": subscription.period_number,
        "period_end": subscription.period_end,
        "entitled_until": subscription.entitled_until,
        "scheduled_plan": None if scheduled is None else scheduled.code,
        "scheduled_plan_version": None if scheduled is None else scheduled.version,
        "cancelled_at": subscription.cancelled_at,
        "cancel_reason": subscription.cancel_reason,
        "next_action": subscription.next_action,
        "next_action_at": subscription.next_action_at,
    }


def _joined() -> Select[*tuple[Any, ...]]:
    periods = subscription_periods.c
    paid = (periods.subscription_id == subscriptions.c.id, periods.reversed_at.is_(None))
    last_paid = select(func.max(periods.n)).where(*paid).scalar_subquery()
    paid_through = select(func.max(periods.ends_at)).where(*paid).scalar_subquery()
    period_start = select(periods.starts_at).where(*paid, periods.n == subscriptions.c.period_number).scalar_subquery()
    plan = (_PLAN.c.code == subscriptions.c.plan) & (_PLAN.c.version == subscriptions.c.plan_version)
    scheduled = (_SCHEDULED.c.code == subscriptions.c.scheduled_plan) & (
        _SCHEDULED.c.version == subscriptions.c.scheduled_plan_version
    )
    columns: Iterable[Any] = (
        *subscriptions.c,
        last_paid.label("last_paid_period"),
        paid_through.label("paid_through"),
        period_start.label("period_start"),
        *(column.label(f"plan_{column.name}_") for column in _PLAN.c),
        *(column.label(f"scheduled_{column.name}_") for column in _SCHEDULED.c),
    )
    return select(*columns).select_from(subscriptions.join(_PLAN, plan).outerjoin(_SCHEDULED, scheduled))


_SELECT = _joined()  # made once, because every request for a subscription uses it


def _one(connection: Connection, query: Select[*tuple[Any, ...]]) -> Subscription | None:
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _read(row)


def _read(row: RowMapping) -> Subscription:
    return Subscription(
        id=row["id"],
        reference=row["reference"],
        user_id=row["user_id"],
        plan=plan_rows.read({name: row[f"plan_{name}_"] for name in _PLAN_COLUMNS}),
        status=Status(row["status"]),
        flags=row["flags"],
        version=row["version"],
        anchor_at=row["anchor_at"],
        period_number=row["period_number"],
        period_start=row["period_start"],
        period_end=row["period_end"],
        last_paid_period=row["last_paid_period"],
        paid_through=row["paid_through"],
        entitled_until=row["entitled_until"],
        scheduled_plan=(
            None
            if row["scheduled_plan"] is None
            else plan_rows.read({name: row[f"scheduled_{name}_"] for name in _PLAN_COLUMNS})
        ),
        cancelled_at=row["cancelled_at"],
        cancel_reason=row["cancel_reason"],
        created_at=row["created_at"],
        next_action=row["next_action"],
        next_action_at=row["next_action_at"],
    )
