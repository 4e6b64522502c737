"""Wakes the listeners of a change after its commit: by NOTIFY on PostgreSQL, inside the process on SQLite."""

from sqlalchemy import Connection, text

from bakong_service.storage.engine.prepared import prepared
from bakong_service.storage.engine.together import write

EVENTS = "bakong_events"  # an event was written and has to be dispatched
PAYMENTS = "bakong_payments"  # a payment changed; the payload is its reference
CHECKS = "bakong_checks"  # a payment has to be looked at soon
DELIVERIES = "bakong_deliveries"  # a webhook is due
CHANNELS = (EVENTS, PAYMENTS, CHECKS, DELIVERIES)

_NOTIFY = text("SELECT pg_notify(:channel, :payload)")


def signal(connection: Connection, channel: str, payload: str = "") -> None:
    """Call the listeners of `channel` when this transaction is committed."""
    if connection.dialect.name == "postgresql":
        write(connection, prepared(connection.dialect, _NOTIFY), {"channel": channel, "payload": payload})
    else:
        connection.info.setdefault("signals", []).append((channel, payload))
