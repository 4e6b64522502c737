"""A few numbers about the whole database, each from a small partial index, so that a scrape may ask often."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, text

from bakong_service.domain.identifiers import least_number
from bakong_service.domain.payment import PaymentStatus
from bakong_service.storage.bakong import provider_clock
from bakong_service.storage.schema import audit_log, deliveries, endpoints, payments, review_items
from bakong_service.storage.webhooks import outbox


def facts(connection: Connection, *, now: datetime) -> dict[str, float]:
    """Return counts, and ages in seconds, by name."""
    due = select(func.count(), func.min(payments.c.next_check_at)).where(payments.c.next_check_at.is_not(None))
    watched, oldest = connection.execute(due).one()
    waiting = select(func.count()).where(deliveries.c.state == "pending")
    given_up = select(func.count()).where(endpoints.c.disabled_reason.in_(("gone", "failing")))
    in_review = select(func.count()).where(review_items.c.resolved_at.is_(None))
    failed = select(func.count()).where(
        text("action = 'subscription.renewal_failed'"),  # written exactly as in the partial index
        audit_log.c.at > now - timedelta(hours=24),
    )
    clocks = provider_clock.read(connection, now=now)
    lag = outbox.oldest_undispatched(connection)
    return {
        "payments_watched": watched,
        "watcher_behind_seconds": _age(oldest, now),
        "reviews_open": connection.execute(in_review).scalar_one(),
        "deliveries_pending": connection.execute(waiting).scalar_one(),
        "endpoints_disabled": connection.execute(given_up).scalar_one(),
        "dispatch_lag_seconds": _age(lag, now),
        "clock_distrusted": float(clocks.distrusted),
        "bakong_clock_ahead_seconds": 0.0 if clocks.skew is None else clocks.skew.total_seconds(),
        "renewals_failed_24h": connection.execute(failed).scalar_one(),
    }


def by_status(connection: Connection, *, now: datetime) -> dict[str, int]:
    """Return how many payments of the last 24 hours have each status."""
    recent = payments.c.id >= least_number(now - timedelta(hours=24))
    query = select(payments.c.status, func.count().label("payments")).where(recent).group_by(payments.c.status)
    counted = {row.status: row.payments for row in connection.execute(query)}
    return {status.value: counted.get(status.value, 0) for status in PaymentStatus}


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())
