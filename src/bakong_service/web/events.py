"""The feed over HTTP: every event, in an order that never changes. What webhooks brought, and what they didn't."""

from typing import Annotated

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Fault, NotFound
from bakong_service.domain.event import EVENT_TYPES
from bakong_service.operations.webhook_presenting import event as shown
from bakong_service.storage import outbox
from bakong_service.web import answers, bodies, paging
from bakong_service.web.problems import invalid
from bakong_service.web.service import of


@frozen(kw_only=True)
class EventFilters:
    """Events of one type, or of one payment, subscription or endpoint."""

    type: Annotated[str, Meta(max_length=64)] | None = None
    subject: Annotated[str, Meta(max_length=64)] | None = None


async def index(request: Request) -> Response:
    """Events from the oldest on. Keep `next_cursor`, and ask with it again for those that came since: the feed never
    puts an event before one that was read already."""
    page = paging.page_of(request)
    wanted = bodies.query(request, EventFilters)
    if wanted.type is not None and wanted.type not in EVENT_TYPES:
        raise invalid(Fault("?type", "unknown_event_type", f"there are {', '.join(EVENT_TYPES)}"))
    rows = await of(request).executor.read(
        lambda connection: outbox.feed(
            connection,
            after=page.starting_after,
            before=page.ending_before,
            types=() if wanted.type is None else (wanted.type,),
            subject=wanted.subject,
            limit=page.fetch,
        ),
        many=True,
    )
    return paging.answer(request, page, rows, position=lambda event: event.feed_position or 0, shape=shown)


async def read(request: Request) -> Response:
    """One event."""
    reference = request.path_params["reference"]
    event = await of(request).executor.read(lambda connection: outbox.by_reference(connection, reference))
    if event is None:
        raise NotFound("event_not_found", f"there is no event {reference[:64]}")
    return answers.json(shown(event))
