"""Whether everything that must hold holds: the invariants over the whole database. Reads, and writes nothing."""

from datetime import datetime

from sqlalchemy import Connection

from bakong_service.operations.business import Business
from bakong_service.storage.invariants import Violation, violations
from bakong_service.storage.sealed import unopenable


def verify(connection: Connection, business: Business, *, now: datetime) -> list[Violation]:
    """Every row that breaks one of I1 to I15; an empty list is what a healthy service answers."""
    grace = business.subscriptions.grace
    return [
        *violations(connection, subscription_grace=grace, now=now),
        *unopenable(connection, business.vault),
    ]
