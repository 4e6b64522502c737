"""The audit log over HTTP."""

from functools import partial
from typing import Annotated

from attrs import asdict, frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.resources import AuditEntry
from bakong_service.storage import audit
from bakong_service.web.http import bodies, paging


@frozen(kw_only=True)
class AuditFilters:
    """Lines of one level, or about one payment, subscription, endpoint or key."""

    level: audit.Level | None = None
    subject: Annotated[str, Meta(max_length=64)] | None = None


async def index(request: Request) -> Response:
    """The log, newest first. Changes of status are in the histories."""
    query = partial(audit.page, **asdict(bodies.query(request, AuditFilters)))
    return await paging.listed(request, query, position=lambda entry: entry.id, shape=AuditEntry.of)
