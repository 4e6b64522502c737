"""The payments of a subscription: which one is open, and whether a renewal was made."""

from datetime import datetime

from sqlalchemy import Connection, exists, select

from bakong_service.domain.payment import Payment, PaymentStatus, Purpose
from bakong_service.domain.subscription import Subscription
from bakong_service.storage.payments import payments as payment_rows
from bakong_service.storage.schema import payments


def open_payment(connection: Connection, subscription: Subscription) -> Payment | None:
    """Return the open renewal or upgrade of a subscription, the newer of the two."""
    query = (
        select(payments.c.id)
        .where(
            payments.c.user_id == subscription.user_id,  # this column has the index
            payments.c.subscription_id == subscription.id,
            payments.c.status == PaymentStatus.PENDING.value,
        )
        .order_by(payments.c.id.desc())
        .limit(1)
    )
    payment_id = connection.execute(query).scalar_one_or_none()
    return None if payment_id is None else payment_rows.by_id(connection, payment_id)


def open_of(connection: Connection, user_id: str, purpose: Purpose) -> Payment | None:
    """Return the user's open payment for a purpose. A plan's purpose has at most one; a one-off may have several."""
    query = select(payments.c.id).where(
        payments.c.user_id == user_id,
        payments.c.purpose == purpose.value,
        payments.c.status == PaymentStatus.PENDING.value,
    )
    payment_id = connection.execute(query).scalar_one_or_none()
    return None if payment_id is None else payment_rows.by_id(connection, payment_id)


def renewal_made_since(connection: Connection, subscription: Subscription, since: datetime) -> bool:
    """Return whether a renewal was made at or after `since`, in any status."""
    made = (
        exists()
        .where(
            payments.c.user_id == subscription.user_id,
            payments.c.subscription_id == subscription.id,
            payments.c.purpose == Purpose.RENEWAL.value,
            payments.c.created_at >= since,
        )
        .select()
    )
    return bool(connection.execute(made).scalar_one())
