"""Moving the test clock on, in test mode."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bakong_service.operations.business import Business
from bakong_service.storage import audit, test_clock


def advance(connection: Connection, business: Business, by: timedelta, *, actor: str, now: datetime) -> timedelta:
    """Move the clock on; how far it runs ahead from now on. It never goes back: what happened has its time."""
    ahead = test_clock.advance(connection, by)
    details = {"seconds": by.total_seconds()}
    audit.write(connection, business.identifiers, action="clock.advanced", actor=actor, details=details, now=now)
    return ahead
