"""Check every promise over the whole database. `docs/design/promises.md` lists the promises by number."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bakong_service.storage.checks.altered import altered_keys, altered_payments
from bakong_service.storage.checks.invariants import Violation, violations
from bakong_service.storage.checks.sealed import unopenable
from bakong_service.storage.ledger.period_values import astray
from bakong_service.vault import Vault

__all__ = ["Violation", "broken", "verify"]


def verify(connection: Connection, vault: Vault, *, subscription_grace: timedelta, now: datetime) -> list[Violation]:
    """Return every row that breaks a promise; an empty list is good.

    All tables are read in one transaction, so that they show one moment.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    return broken(connection, vault, subscription_grace=subscription_grace, now=now)


def broken(connection: Connection, vault: Vault, *, subscription_grace: timedelta, now: datetime) -> list[Violation]:
    """Return every row that breaks a promise, as the transaction of `connection` sees it."""
    found = list(violations(connection, subscription_grace=subscription_grace, now=now))
    found += astray(connection, now=now)
    for check in (unopenable, altered_payments, altered_keys):
        found += check(connection, vault)
    return found
