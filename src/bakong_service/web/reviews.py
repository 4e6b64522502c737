"""The review queue over HTTP: money that a person has to decide about, and refunds that a person made."""

from typing import Annotated, Any, Literal

from attrs import frozen
from msgspec import Meta
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import NotFound
from bakong_service.operations import presenting
from bakong_service.operations import reviews as operations
from bakong_service.operations.presenting import moment
from bakong_service.storage import reviews
from bakong_service.storage.reviews import ReviewItem
from bakong_service.web import answers, bodies, paging
from bakong_service.web.auth import caller
from bakong_service.web.idempotency import Answer, idempotent
from bakong_service.web.service import of

Note = Annotated[str, Meta(min_length=1, max_length=500)]


@frozen(kw_only=True)
class ReviewFilters:
    """Those that are open, or all."""

    status: Literal["open", "all"] = "open"


@frozen(kw_only=True)
class ResolutionBody:
    """What was decided. `refunded` and `not_ours` need a note: the transfer's reference, or why."""

    action: Literal["accept", "credit", "refunded", "not_ours"]
    note: Note | None = None


@frozen(kw_only=True)
class RefundBody:
    """The transfer that sent the money back; with `reverse` what it bought is taken back too."""

    refund_reference: Note
    reverse: bool = False


async def index(request: Request) -> Response:
    """Items of the queue, newest first."""
    page = paging.page_of(request)
    only_open = bodies.query(request, ReviewFilters).status == "open"
    rows = await of(request).executor.read(
        lambda connection: reviews.page(
            connection, limit=page.fetch, before=page.starting_after, after=page.ending_before, only_open=only_open
        ),
        many=True,
    )
    return paging.answer(request, page, rows, position=lambda item: item.id, shape=shown)


async def read(request: Request) -> Response:
    """One item."""
    reference = request.path_params["reference"]
    item = await of(request).executor.read(lambda connection: reviews.by_reference(connection, reference))
    if item is None:
        raise NotFound("review_not_found", f"there is no review item {reference[:64]}")
    return answers.json(shown(item))


async def resolve(request: Request) -> Response:
    """Decide about an item; 200 with the payment as it then stands."""
    body = await bodies.parse(request, ResolutionBody)
    service, reference = of(request), request.path_params["reference"]
    operator, now = caller(request).actor, service.clock.now()

    def operation(connection: Connection) -> Answer:
        payment = operations.resolve(
            connection, service.business, reference, action=body.action, operator=operator, note=body.note, now=now
        )
        return Answer(200, presenting.payment(payment))

    return await idempotent(request, operation)


async def refund(request: Request) -> Response:
    """Record that a paid payment was sent back outside: the Open API can't do it."""
    body = await bodies.parse(request, RefundBody)
    service, reference = of(request), request.path_params["reference"]
    operator, now = caller(request).actor, service.clock.now()

    def operation(connection: Connection) -> Answer:
        payment = operations.record_refund(
            connection,
            service.business,
            reference,
            refund_reference=body.refund_reference,
            reverse=body.reverse,
            operator=operator,
            now=now,
        )
        return Answer(200, presenting.payment(payment))

    return await idempotent(request, operation)


def shown(item: ReviewItem) -> dict[str, Any]:
    """An item, as HTTP and commands show it. An answer that couldn't be read stays encrypted."""
    return {
        "object": "review",
        "reference": item.reference,
        "kind": item.kind,
        "payment": item.payment,
        "details": item.details or {},
        "opened_at": moment(item.opened_at),
        "resolved_at": moment(item.resolved_at),
        "action": item.action,
        "operator": item.operator,
        "note": item.note,
    }
