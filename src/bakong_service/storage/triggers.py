"""Triggers: the database itself refuses to change a fact, or a status without its line of history, for any writer.

They belong to the present schema and not to a revision, so `migrations.upgrade` drops them and makes them again.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

_YEAR = 365 * 24 * 3600 * 1_000_000
_RECEIPT_FACTS = (
    "id", "provider", "tx_hash", "payment_id", "amount", "amount_minor", "currency", "to_account",
    "external_ref", "sent_at", "acknowledged_at", "seen_at",
)  # fmt: skip
_AUDIT_FACTS = ("id", "level", "action", "actor", "ip", "subject", "details", "at")
# table: the column that says when a row was made
_FACTS = {
    "receipts": "seen_at",
    "payment_history": "at",
    "subscription_history": "at",
    "audit_log": "at",
    "effects": "at",
    "subscription_periods": "created_at",
    "ledger_entries": "at",
}
_FROZEN = ("payment_history", "subscription_history", "effects", "ledger_entries")
_STATUS = {"payments": "payment_history", "subscriptions": "subscription_history"}


def create(connection: Connection) -> None:
    """Make every trigger. None of them may exist already."""
    statements = _sqlite() if connection.dialect.name == "sqlite" else _postgresql()
    for statement in statements:
        connection.exec_driver_sql(statement)


def drop(connection: Connection) -> None:
    """Drop every trigger, also those of earlier versions."""
    if connection.dialect.name == "sqlite":
        for name in standing(connection):
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    else:
        for name in standing(connection):
            connection.exec_driver_sql(f"DROP FUNCTION {name}() CASCADE")  # this drops the trigger too


def standing(connection: Connection) -> dict[str, str]:
    """Return every trigger that exists, by name, with its definition in the database."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "sqlite"
        else "SELECT t.tgname, pg_get_triggerdef(t.oid) || p.prosrc FROM pg_trigger t "
        "JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal"
    )
    return {row[0]: row[1] for row in connection.exec_driver_sql(query)}


def _rules(now: str, is_distinct: str) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield each rule as (name, table, event, condition that breaks it, message)."""

    def changed(columns: tuple[str, ...]) -> str:
        return " OR ".join(f"NEW.{column} {is_distinct} OLD.{column}" for column in columns)

    fact = "a receipt is a fact: only its disposition changes"
    yield "receipts_keep_facts", "receipts", "UPDATE", changed(_RECEIPT_FACTS), fact
    numbered_again = f"OLD.number IS NOT NULL OR {changed(_AUDIT_FACTS)}"
    yield "audit_log_append_only", "audit_log", "UPDATE", numbered_again, "audit_log is append-only"
    for table in _FROZEN:
        yield f"{table}_append_only", table, "UPDATE", "1 = 1", f"{table} is append-only"
    for table, made in _FACTS.items():
        young = f"OLD.{made} > {now} - {_YEAR}"
        yield f"{table}_kept_a_year", table, "DELETE", young, f"rows of {table} are kept for at least a year"
    for table, history in _STATUS.items():
        told = (
            f"SELECT 1 FROM {history} h "  # noqa: S608 - names of our own tables
            "WHERE h.subject_id = NEW.id AND h.version = NEW.version AND h.new_status = NEW.status"
        )
        broken = f"NEW.status <> OLD.status AND NOT EXISTS ({told})"
        yield f"{table}_status_has_history", table, "UPDATE", broken, f"a status of {table} changes with its history"


def _sqlite() -> Iterator[str]:
    now = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
    for name, table, event, broken, message in _rules(now, "IS NOT"):
        yield (
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {broken} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


def _postgresql() -> Iterator[str]:
    now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    for name, table, event, broken, message in _rules(now, "IS DISTINCT FROM"):
        row = "OLD" if event == "DELETE" else "NEW"
        yield (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {broken} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'; END IF; "
            f"RETURN {row}; END $$"
        )
        yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
