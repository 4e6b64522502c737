"""Subscriptions, each with the plans it refers to, and the clock's claim on them.

Whoever changes a user's subscription holds `lock_user` first, before any payment's row: it also stands for the
subscription that doesn't exist yet, and makes the next statement see what the one before us committed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, insert, select, text, update

from bakong_service.domain.errors import Conflict
from bakong_service.domain.subscription import LIVE, Status, Subscription
from bakong_service.storage import plans as plan_rows
from bakong_service.storage.columns import microseconds
from bakong_service.storage.schema import plans, subscription_periods, subscriptions

LEASE = timedelta(seconds=30)
_LOCK_USER = text("SELECT pg_advisory_xact_lock(hashtextextended(:user_id, 7237))")
_PLAN_COLUMNS = [column.name for column in plans.c]
_PLAN, _SCHEDULED = plans.alias("plan"), plans.alias("scheduled")


def lock_user(connection: Connection, user_id: str) -> None:
    """Let nobody else change the user's subscription or credit until this transaction ends. SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK_USER, {"user_id": user_id})


def live_of(connection: Connection, user_id: str) -> Subscription | None:
    """The user's one live subscription."""
    query = _query().where(subscriptions.c.user_id == user_id, subscriptions.c.status.in_(LIVE))
    return _one(connection, query)


def last_of(connection: Connection, user_id: str) -> Subscription | None:
    """The user's newest subscription, live or not; a live one is always the newest."""
    over = subscriptions.c.status.not_in(LIVE)  # first: ids made in one millisecond have no order
    query = _query().where(subscriptions.c.user_id == user_id).order_by(over, subscriptions.c.id.desc()).limit(1)
    return _one(connection, query)


def by_reference(connection: Connection, reference: str) -> Subscription | None:
    """The subscription that the outside calls `reference`."""
    return _one(connection, _query().where(subscriptions.c.reference == reference))


def by_id(connection: Connection, subscription_id: int) -> Subscription | None:
    """The subscription of an internal id."""
    return _one(connection, _query().where(subscriptions.c.id == subscription_id))


def page(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    user_id: str | None = None,
    status: Status | None = None,
    plan: str | None = None,
) -> list[Subscription]:
    """Subscriptions, newest first: those with ids below `before`; or above `after`, the nearest ones, oldest first."""
    query = _query().limit(limit)
    query = query.order_by(subscriptions.c.id if after is not None else subscriptions.c.id.desc())
    for column, value in (
        (subscriptions.c.user_id, user_id),
        (subscriptions.c.status, status),
        (subscriptions.c.plan, plan),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(subscriptions.c.id < before)
    if after is not None:
        query = query.where(subscriptions.c.id > after)
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
    """Write a subscription's next version, whose history row stands already. Raises `Conflict` where it is behind."""
    changed = connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription.id, subscriptions.c.version == subscription.version - 1)
        .values(**_changing(subscription), lease_until=0)
    )
    if changed.rowcount != 1:
        raise Conflict("version_moved_on", f"{subscription.reference} was changed by somebody else; try again")


def reschedule(connection: Connection, subscription: Subscription) -> None:
    """Write when the clock comes next, and nothing else; the version stays."""
    connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription.id)
        .values(next_action=subscription.next_action, next_action_at=subscription.next_action_at, lease_until=0)
    )


def claim_due(connection: Connection, *, limit: int, now: datetime) -> list[int]:
    """Take subscriptions that the clock has to look at, for as long as the lease lasts; their ids.

    The lease only keeps two workers from doing the same: whoever comes second finds nothing due. So there is no fence.
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
    """When the clock has something to do next, for any subscription."""
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


def _query() -> Select[*tuple[Any, ...]]:
    last_paid = (
        select(func.max(subscription_periods.c.n))
        .where(
            subscription_periods.c.subscription_id == subscriptions.c.id,
            subscription_periods.c.reversed_at.is_(None),
        )
        .scalar_subquery()
    )
    plan = (_PLAN.c.code == subscriptions.c.plan) & (_PLAN.c.version == subscriptions.c.plan_version)
    scheduled = (_SCHEDULED.c.code == subscriptions.c.scheduled_plan) & (
        _SCHEDULED.c.version == subscriptions.c.scheduled_plan_version
    )
    columns: Iterable[Any] = (
        *subscriptions.c,
        last_paid.label("last_paid_period"),
        *(column.label(f"plan_{column.name}_") for column in _PLAN.c),
        *(column.label(f"scheduled_{column.name}_") for column in _SCHEDULED.c),
    )
    return select(*columns).select_from(subscriptions.join(_PLAN, plan).outerjoin(_SCHEDULED, scheduled))


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
        period_end=row["period_end"],
        last_paid_period=row["last_paid_period"],
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
