"""The audit log: who did what, and what the service refused for its own safety. The database refuses to change a line.

Changes of status are in the histories and not here.
"""

from datetime import datetime
from typing import Any, Literal

from attrs import frozen
from sqlalchemy import Connection, bindparam, delete, func, select, update

from bakong_service.domain.identifiers import Identifiers, least_number
from bakong_service.storage.engine.inserting import insert_new, insert_row
from bakong_service.storage.engine.paging import newest_first
from bakong_service.storage.schema import audit_log, audit_numbering

Level = Literal["INFO", "SECURITY"]
INFO: Level = "INFO"
SECURITY: Level = "SECURITY"

_NUMBERED_AT_ONCE = 200  # a few milliseconds
_UNNUMBERED = select(audit_log.c.id).where(audit_log.c.number.is_(None)).order_by(audit_log.c.id)
_NUMBER = update(audit_log).where(audit_log.c.id == bindparam("line")).values(number=bindparam("next"))


@frozen(kw_only=True)
class AuditEntry:
    """One line of the log."""

    id: int
    level: Level
    action: str  # "payment.created", "key.revoked", "authentication.failed"
    actor: str  # "api:<key id>", "operator:<name>", "system:watcher", "anonymous"
    ip: str | None
    subject: str | None  # the reference of the payment, key ... that the action was about
    details: dict[str, Any] | None
    at: datetime


_COLUMNS = tuple(audit_log.c[attribute.name] for attribute in AuditEntry.__attrs_attrs__)


def write(
    connection: Connection,
    identifiers: Identifiers,
    *,
    action: str,
    actor: str,
    subject: str | None = None,
    ip: str | None = None,
    level: Level = INFO,
    details: dict[str, Any] | None = None,
    now: datetime,
) -> None:
    """Add a line. `details` may have public facts only: no secret, no QR payload, no payer's account."""
    row = {
        "id": identifiers.number(now),
        "level": level,
        "action": action,
        "actor": actor,
        "ip": ip,
        "subject": subject,
        "details": details,
        "at": now,
    }
    insert_row(connection, audit_log, row)


def remove_oldest(connection: Connection, *, before: datetime, limit: int) -> tuple[int, int]:
    """Delete up to `limit` lines from before a moment, oldest numbers first. Return their count and the last number.

    The lines that are kept are numbered without a gap, so a line that is missing among them is still noticed.
    """
    numbering = connection.execute(select(audit_numbering).with_for_update()).one_or_none()
    if numbering is None:
        return 0, 0  # no line has a number yet
    kept = select(func.min(audit_log.c.number)).where(audit_log.c.id >= least_number(before))
    first_kept = connection.execute(kept).scalar_one() or numbering.last + 1
    through = max(numbering.removed_through, min(numbering.removed_through + limit, first_kept - 1))
    removed = connection.execute(delete(audit_log).where(audit_log.c.number <= through)).rowcount
    connection.execute(update(audit_numbering).values(removed_through=through))
    return removed, through


def page(
    connection: Connection,
    *,
    limit: int,
    below: int | None = None,
    above: int | None = None,
    level: Level | None = None,
    subject: str | None = None,
) -> list[AuditEntry]:
    """Return at most `limit` lines with ids below `below` (newest first), or above `above` (oldest first)."""
    filters = (audit_log.c.level, level), (audit_log.c.subject, subject)
    query = newest_first(select(*_COLUMNS), audit_log.c.id, *filters, below=below, above=above, limit=limit)
    return [AuditEntry(**row) for row in connection.execute(query).mappings()]


def has_unnumbered(connection: Connection) -> bool:
    """Return whether a line has no number yet."""
    return connection.execute(_UNNUMBERED.limit(1)).first() is not None


def number_lines(connection: Connection) -> None:
    """Give the oldest lines without a number the next numbers, so that a line that is deleted leaves a gap.

    A line gets its number after its commit. In its own transaction, a rollback would leave a gap, or each transaction
    would have to wait for the one before it.
    """
    insert_new(connection, audit_numbering, {"id": 1, "last": 0})
    last = connection.execute(select(audit_numbering.c.last).with_for_update()).scalar_one()
    lines = connection.execute(_UNNUMBERED.limit(_NUMBERED_AT_ONCE)).scalars().all()
    if lines:
        connection.execute(_NUMBER, [{"line": line, "next": last + place} for place, line in enumerate(lines, 1)])
        connection.execute(update(audit_numbering).values(last=last + len(lines)))
