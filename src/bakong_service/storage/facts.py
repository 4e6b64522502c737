"""A few numbers about the whole, each from a small partial index: what a scrape may ask every few seconds."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, text

from bakong_service.storage import outbox
from bakong_service.storage.schema import audit_log, deliveries, endpoints, payments, review_items


def facts(connection: Connection, *, now: datetime) -> dict[str, float]:
    """Counts, and ages in seconds, by name."""
    due = select(func.count(), func.min(payments.c.next_check_at)).where(payments.c.next_check_at.is_not(None))
    watched, oldest = connection.execute(due).one()
    waiting = select(func.count()).where(deliveries.c.state == "pending")
    given_up = select(func.count()).where(endpoints.c.disabled_reason.in_(("gone", "failing")))
    in_review = select(func.count()).where(review_items.c.resolved_at.is_(None))
    failed = select(func.count()).where(
        text("action = 'subscription.renewal_failed'"),  # spelled as the partial index has it
        audit_log.c.at > now - timedelta(hours=24),
    )
    lag = outbox.oldest_undispatched(connection)
    return {
        "payments_watched": watched,
        "watcher_behind_seconds": _age(oldest, now),
        "reviews_open": connection.execute(in_review).scalar_one(),
        "deliveries_pending": connection.execute(waiting).scalar_one(),
        "endpoints_disabled": connection.execute(given_up).scalar_one(),
        "dispatch_lag_seconds": _age(lag, now),
        "renewals_failed_24h": connection.execute(failed).scalar_one(),
    }


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())
