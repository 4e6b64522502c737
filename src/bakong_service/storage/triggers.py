"""What the database itself refuses, whoever writes: to change a fact, or a status without its history.

They belong to the present schema, not to a revision: `migrations.upgrade` takes them away and makes them anew.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

_YEAR = 365 * 24 * 3600 * 1_000_000
_RECEIPT_FACTS = (
    "id", "provider", "tx_hash", "md5", "payment_id", "amount", "amount_minor", "currency", "to_account",
    "external_ref", "sent_at", "acknowledged_at", "seen_at",
)  # fmt: skip
# table, when its rows were made (None: never to be deleted)
_FACTS = {
    "receipts": "seen_at",
    "payment_history": "at",
    "subscription_history": "at",
    "audit_log": "at",
    "effects": "at",
    "subscription_periods": "created_at",
    "credits": "at",
}
_FROZEN = ("payment_history", "subscription_history", "audit_log", "effects", "credits")
_STATUS = {"payments": "payment_history", "subscriptions": "subscription_history"}


def create(connection: Connection) -> None:
    """Make every trigger. None of them may stand already."""
    statements = _sqlite() if connection.dialect.name == "sqlite" else _postgresql()
    for statement in statements:
        connection.exec_driver_sql(statement)


def drop(connection: Connection) -> None:
    """Take every trigger away, those of earlier versions too."""
    if connection.dialect.name == "sqlite":
        for name in standing(connection):
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    else:
        for name in standing(connection):
            connection.exec_driver_sql(f"DROP FUNCTION {name}() CASCADE")  # the trigger goes with its function


def standing(connection: Connection) -> dict[str, str]:
    """Every trigger that stands, by name: what the database says it does."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "sqlite"
        else "SELECT t.tgname, pg_get_triggerdef(t.oid) || p.prosrc FROM pg_trigger t "
        "JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal"
    )
    return {row[0]: row[1] for row in connection.exec_driver_sql(query)}


def _rules(now: str, is_distinct: str) -> Iterator[tuple[str, str, str, str, str]]:
    """Each rule as (name, table, event, condition that breaks it, message)."""
    changed = " OR ".join(f"NEW.{column} {is_distinct} OLD.{column}" for column in _RECEIPT_FACTS)
    yield "receipts_keep_facts", "receipts", "UPDATE", changed, "a receipt is a fact: only its disposition changes"
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
