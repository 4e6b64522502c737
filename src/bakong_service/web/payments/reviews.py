"""The review queue over HTTP: money that a person has to decide about, and refunds that a person made."""

from decimal import Decimal
from functools import partial
from typing import Annotated, Literal

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import NotFound
from bakong_service.domain.review import Decision
from bakong_service.operations.payments import reviews as operations
from bakong_service.operations.payments import whereabouts
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import Payment, RefundedPayment, Review
from bakong_service.storage.payments import reviews
from bakong_service.web.http import answers, bodies, paging
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.service import of

Note = Annotated[str, Meta(min_length=1, max_length=500)]
RefundAmount = Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,2})?$")]


@frozen(kw_only=True)
class ReviewFilters:
    """Those that are open, or all."""

    status: Literal["open", "all"] = "open"


@frozen(kw_only=True)
class ResolutionBody:
    """What was decided. `refunded` and `not_ours` need a note: the transfer's reference, or why."""

    action: Decision
    note: Note | None = None


@frozen(kw_only=True)
class RefundBody:
    """The transfer that sent the money back; with `reverse` what it bought is taken back too.

    With `amount` only so much was sent back, in the currency that came.
    """

    refund_reference: Note
    amount: RefundAmount | None = None
    reverse: bool = False


async def index(request: Request) -> Response:
    """Items of the queue, newest first."""
    query = partial(reviews.page, only_open=bodies.query(request, ReviewFilters).status == "open")
    return await paging.listed(request, query, position=lambda item: item.id, shape=Review.of)


async def read(request: Request) -> Response:
    """One item."""
    reference = request.path_params["reference"]
    item = await of(request).executor.read(lambda connection: reviews.by_reference(connection, reference))
    if item is None:
        raise NotFound("review_not_found", f"there is no review item {reference[:64]}")
    return answers.json(Review.of(item))


async def resolve(request: Request) -> Response:
    """Decide about an item; 200 with the payment as it then stands."""
    body = await bodies.parse(request, ResolutionBody)
    reference = request.path_params["reference"]

    def operation(work: UnitOfWork) -> Success:
        payment = operations.resolve(work, reference, action=body.action, note=body.note)
        return Success(200, Payment.of(payment))

    return await idempotent(request, operation)


async def refund(request: Request) -> Response:
    """Record that money of a paid payment was sent back outside: the Open API can't do it."""
    body = await bodies.parse(request, RefundBody)
    reference = request.path_params["reference"]
    amount = None if body.amount is None else Decimal(body.amount)

    def operation(work: UnitOfWork) -> Success:
        payment = operations.record_refund(
            work, reference, refund_reference=body.refund_reference, reverse=body.reverse, amount=amount
        )
        value = whereabouts.of_payment(work.connection, payment, now=work.now)
        return Success(200, RefundedPayment.of(payment, value=value))

    return await idempotent(request, operation)
