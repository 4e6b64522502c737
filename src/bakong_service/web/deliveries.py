"""Deliveries over HTTP: what was sent where, what came back, and once more please."""

from typing import Annotated

from attrs import frozen
from msgspec import Meta
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.delivery import DeliveryState
from bakong_service.domain.errors import NotFound
from bakong_service.operations import replays, webhook_presenting
from bakong_service.storage import delivery_records
from bakong_service.web import answers, bodies, paging
from bakong_service.web.auth import caller
from bakong_service.web.idempotency import Answer, idempotent
from bakong_service.web.service import of

Reference = Annotated[str, Meta(max_length=64)]


@frozen(kw_only=True)
class DeliveryFilters:
    """Deliveries of one endpoint or event, or in one state: `failed` are the dead letters."""

    endpoint: Reference | None = None
    event: Reference | None = None
    state: DeliveryState | None = None


async def index(request: Request) -> Response:
    """Deliveries, newest first."""
    page = paging.page_of(request)
    wanted = bodies.query(request, DeliveryFilters)
    rows = await of(request).executor.read(
        lambda connection: delivery_records.page(
            connection,
            limit=page.fetch,
            after=page.starting_after,
            before=page.ending_before,
            endpoint=wanted.endpoint,
            event=wanted.event,
            state=wanted.state,
        ),
        many=True,
    )
    return paging.answer(request, page, rows, position=lambda row: row.id, shape=webhook_presenting.delivery)


async def read(request: Request) -> Response:
    """One delivery with its attempts, first to last."""
    reference = request.path_params["reference"]

    def query(connection: Connection) -> Response:
        delivery = delivery_records.by_reference(connection, reference)
        if delivery is None:
            raise NotFound("delivery_not_found", f"there is no delivery {reference[:64]}")
        tried = [webhook_presenting.attempt(attempt) for attempt in delivery_records.attempts(connection, reference)]
        return answers.json(webhook_presenting.delivery(delivery) | {"attempts_made": tried})

    return await of(request).executor.read(query)


async def retry(request: Request) -> Response:
    """Try it now; 202 with the delivery that will be made, a new one where this one has ended."""
    await bodies.parse(request, bodies.Nothing)
    service, reference = of(request), request.path_params["reference"]
    actor, now = caller(request).actor, service.clock.now()

    def operation(connection: Connection) -> Answer:
        made = replays.retry(connection, service.business, reference, actor=actor, now=now)
        delivery = delivery_records.by_reference(connection, made)
        assert delivery is not None  # made in this transaction
        return Answer(202, webhook_presenting.delivery(delivery))

    return await idempotent(request, operation)
