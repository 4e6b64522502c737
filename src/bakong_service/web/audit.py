"""The audit log over HTTP."""

from typing import Annotated, Any, Literal

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.operations.presenting import moment
from bakong_service.storage import audit
from bakong_service.storage.audit import AuditEntry
from bakong_service.web import bodies, paging
from bakong_service.web.service import of


@frozen(kw_only=True)
class AuditFilters:
    """Lines of one level, or about one payment, subscription, endpoint or key."""

    level: Literal["INFO", "SECURITY"] | None = None
    subject: Annotated[str, Meta(max_length=64)] | None = None


async def index(request: Request) -> Response:
    """The log, newest first. Changes of status are in the histories."""
    page = paging.page_of(request)
    wanted = bodies.query(request, AuditFilters)
    rows = await of(request).executor.read(
        lambda connection: audit.page(
            connection,
            limit=page.fetch,
            before=page.starting_after,
            after=page.ending_before,
            level=wanted.level,
            subject=wanted.subject,
        ),
        many=True,
    )
    return paging.answer(request, page, rows, position=lambda entry: entry.id, shape=shown)


def shown(entry: AuditEntry) -> dict[str, Any]:
    """A line, as HTTP shows it."""
    return {
        "object": "audit_entry",
        "level": entry.level,
        "action": entry.action,
        "actor": entry.actor,
        "ip": entry.ip,
        "subject": entry.subject,
        "details": entry.details or {},
        "at": moment(entry.at),
    }
