"""The feed over HTTP: every event, in an order that never changes.

A main backend that missed deliveries, or that has no endpoint, reads its events here. A cursor is the signed text of a
`FeedPlace`, which names a position in the feed and the epoch that it belongs to.
"""

from typing import Annotated

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service import resources
from bakong_service.domain.errors import Fault, NotFound
from bakong_service.domain.event import EVENT_TYPES
from bakong_service.domain.feed import PLACE_BYTES, FeedPlace
from bakong_service.operations.webhooks import reading
from bakong_service.storage.webhooks import outbox
from bakong_service.web.http import answers, bodies, paging
from bakong_service.web.http.problems import Problem, invalid
from bakong_service.web.http.service import of


@frozen(kw_only=True)
class EventFilters:
    """Events of one type, or of one payment, subscription or endpoint."""

    type: Annotated[str, Meta(max_length=64)] | None = None
    subject: Annotated[str, Meta(max_length=64)] | None = None


async def index(request: Request) -> Response:
    """List events, oldest first.

    Keep `next_cursor`, and send it as `starting_after` to read the events that came later. The feed never puts a new
    event before an event that was read already. If a page is empty, its `next_cursor` is the cursor that was sent.

    After the database was restored from a backup, a cursor from before the restore is refused with 409 `feed_restored`.
    The `next_cursor` of that answer says where to go on. If it is null, read from the start.
    """
    limit = paging.limit_of(request)
    after, before = (
        None if content is None else FeedPlace.from_bytes(content) for content in paging.cursors(request, PLACE_BYTES)
    )
    wanted = bodies.query(request, EventFilters)
    if wanted.type is not None and wanted.type not in EVENT_TYPES:
        raise invalid(Fault("?type", "unknown_event_type", f"there are {', '.join(EVENT_TYPES)}"))
    try:
        part = await of(request).executor.read(
            lambda connection: reading.feed_part(
                connection, after=after, before=before, limit=limit, event_type=wanted.type, subject=wanted.subject
            ),
            many=True,  # a long read, which must not delay the short ones
        )
    except reading.FeedRestored as restored:
        raise _restored(_cursor(request, restored.go_on_at)) from restored
    return answers.json(
        resources.Listing(
            data=[resources.Event.of(event) for event in part.events],
            has_more=part.has_more,
            next_cursor=_cursor(request, part.last),
            previous_cursor=_cursor(request, part.first),
        )
    )


async def read(request: Request) -> Response:
    """Read one event."""
    reference = request.path_params["reference"]
    event = await of(request).executor.read(lambda connection: outbox.by_reference(connection, reference))
    if event is None:
        raise NotFound("event_not_found", f"there is no event {reference[:64]}")
    return answers.json(resources.Event.of(event))


def _cursor(request: Request, place: FeedPlace | None) -> str | None:
    """Return the cursor of a place; None for no place."""
    return None if place is None else paging.cursor(request, place.as_bytes())


def _restored(next_cursor: str | None) -> Problem:
    """Return the 409 for a cursor from before a restore. If `next_cursor` is None, the reader starts again."""
    way = "without a cursor" if next_cursor is None else "with next_cursor of this answer"
    detail = (
        "the database was restored from a backup after this cursor had been given out, and part of the feed that the "
        f"cursor belongs to is lost: ask {way}, and skip the events whose id you know"
    )
    return Problem(status=409, code="feed_restored", detail=detail, next_cursor=next_cursor)
