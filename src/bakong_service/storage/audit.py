"""The audit log: who did what, and what the service refused for its own safety. Append-only; the database insists.

Changes of status live in the histories; `page` reads what is here alone.
"""

from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, select

from bakong_service.domain.identifiers import Identifiers
from bakong_service.storage.inserting import insert_row
from bakong_service.storage.schema import audit_log

INFO = "INFO"
SECURITY = "SECURITY"


@frozen(kw_only=True)
class AuditEntry:
    """One line of the log."""

    id: int
    level: str  # INFO or SECURITY
    action: str  # "payment.created", "key.revoked", "authentication.failed"
    actor: str  # "api:<key id>", "operator:<name>", "system:watcher", "anonymous"
    ip: str | None
    subject: str | None  # the reference of what it was done to
    details: dict[str, Any] | None
    at: datetime


def write(
    connection: Connection,
    identifiers: Identifiers,
    *,
    action: str,
    actor: str,
    subject: str | None = None,
    ip: str | None = None,
    level: str = INFO,
    details: dict[str, Any] | None = None,
    now: datetime,
) -> None:
    """Add a line. `details` holds public facts alone: no secret, no payload, no payer's account."""
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


def page(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    level: str | None = None,
    subject: str | None = None,
) -> list[AuditEntry]:
    """At most `limit` lines with ids below `before` (newest first), or above `after` (oldest first)."""
    query = select(audit_log).limit(limit)
    query = query.order_by(audit_log.c.id if after is not None else audit_log.c.id.desc())
    if before is not None:
        query = query.where(audit_log.c.id < before)
    if after is not None:
        query = query.where(audit_log.c.id > after)
    if level is not None:
        query = query.where(audit_log.c.level == level)
    if subject is not None:
        query = query.where(audit_log.c.subject == subject)
    return [AuditEntry(**row) for row in connection.execute(query).mappings()]
