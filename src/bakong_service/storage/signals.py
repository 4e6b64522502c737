"""Waking whoever waits for a change, after the commit that made it: NOTIFY on PostgreSQL, in the process on SQLite."""

from sqlalchemy import Connection, text

EVENTS = "bakong_events"  # an event was written: dispatch it
PAYMENTS = "bakong_payments"  # a payment changed; the payload is its reference
CHECKS = "bakong_checks"  # a payment wants to be looked at soon
DELIVERIES = "bakong_deliveries"  # a webhook is due
CHANNELS = (EVENTS, PAYMENTS, CHECKS, DELIVERIES)

_NOTIFY = text("SELECT pg_notify(:channel, :payload)")


def signal(connection: Connection, channel: str, payload: str = "") -> None:
    """Tell the listeners of `channel` once this transaction is committed."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"channel": channel, "payload": payload})
    else:
        connection.info.setdefault("signals", []).append((channel, payload))
