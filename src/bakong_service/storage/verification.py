"""Whether all that must hold does hold: the invariants I1 to I15 over the whole database, as one list."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bakong_service.storage.invariants import Violation, violations
from bakong_service.storage.sealed import unopenable
from bakong_service.vault import Vault

__all__ = ["Violation", "verify"]


def verify(connection: Connection, vault: Vault, *, subscription_grace: timedelta, now: datetime) -> list[Violation]:
    """Every row that breaks an invariant; empty is good. Reads everything, from one moment's view of the database."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    found = list(violations(connection, subscription_grace=subscription_grace, now=now))
    return found + list(unopenable(connection, vault))
