"""What a database holds, in a few numbers: enough to see that a backup is the one that was meant."""

from datetime import datetime

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, func, inspect, select

from bakong_service.storage.engine.columns import Moment
from bakong_service.storage.schema import (
    audit_log,
    database_mode,
    events,
    ledger_balances,
    ledger_entries,
    payment_history,
    payments,
    receipts,
    subscription_history,
)

_MOMENTS: tuple[ColumnElement[datetime], ...] = (
    audit_log.c.at, payment_history.c.at, subscription_history.c.at, events.c.created_at, ledger_entries.c.at,
    receipts.c.seen_at, payments.c.last_check_at, database_mode.c.since,
)  # fmt: skip


@frozen(kw_only=True)
class Contents:
    """A few numbers about a database of the service."""

    payments: int
    ledger_entries: int
    newest_audit_entry: tuple[datetime, str] | None  # its time and its action; none if the log is empty
    newest_at: datetime | None  # the last moment that the database knows of; none if it was never used


@frozen(kw_only=True, order=True)
class LedgerSum:
    """What all holders of one kind of account have together in one currency, in minor units, by the entries."""

    account: str
    currency: str
    minor: int


def contents(connection: Connection) -> Contents:
    """Return what the database holds, as the transaction of `connection` sees it."""
    newest = select(audit_log.c.at, audit_log.c.action).order_by(audit_log.c.id.desc()).limit(1)
    last = connection.execute(newest).one_or_none()
    moments = [connection.execute(select(func.max(column, type_=Moment))).scalar_one() for column in _MOMENTS]
    return Contents(
        payments=connection.execute(select(func.count()).select_from(payments)).scalar_one(),
        ledger_entries=connection.execute(select(func.count()).select_from(ledger_entries)).scalar_one(),
        newest_audit_entry=None if last is None else (last.at, last.action),
        newest_at=max((moment for moment in moments if moment is not None), default=None),
    )


def ledger_sums(connection: Connection) -> list[LedgerSum]:
    """Return the sums of the ledger's entries by account and currency, sorted. Their total is zero."""
    entries, sums = ledger_entries.c, dict[tuple[str, str], int]()
    for account, sign in ((entries.to_account, 1), (entries.from_account, -1)):
        query = select(account, entries.currency, func.sum(entries.minor)).group_by(account, entries.currency)
        for name, currency, minor in connection.execute(query):
            sums[name, currency] = sums.get((name, currency), 0) + sign * int(minor)
    return sorted(LedgerSum(account=name, currency=currency, minor=minor) for (name, currency), minor in sums.items())


def balance_sums(connection: Connection) -> list[LedgerSum]:
    """Return the same sums by the balances."""
    held = ledger_balances.c
    query = select(held.account, held.currency, func.sum(held.minor)).group_by(held.account, held.currency)
    rows = connection.execute(query)
    return sorted(LedgerSum(account=name, currency=currency, minor=int(minor)) for name, currency, minor in rows)


def is_empty(connection: Connection) -> bool:
    """Return whether the database has no table, of anybody's."""
    found = inspect(connection)
    if connection.dialect.name == "sqlite":
        return not found.get_table_names()
    query = (
        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' "
        "AND n.nspname <> 'information_schema' "
        "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') LIMIT 1"
    )
    return connection.exec_driver_sql(query).first() is None
