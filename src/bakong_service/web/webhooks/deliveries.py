"""Deliveries over HTTP: what was sent where, what came back, and once more please."""

from datetime import datetime
from functools import partial
from typing import Annotated

from attrs import asdict, frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service import resources
from bakong_service.domain.delivery import DeliveryState
from bakong_service.operations.webhooks import reading, replays
from bakong_service.storage.webhooks import delivery_records
from bakong_service.web.http import answers, bodies, paging
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.service import of

Reference = Annotated[str, Meta(max_length=64)]


@frozen(kw_only=True)
class DeliveryFilters:
    """Deliveries of one endpoint or event, made within a time, or in one state: `failed` are the dead letters."""

    endpoint: Reference | None = None
    event: Reference | None = None
    state: DeliveryState | None = None
    created_from: Annotated[datetime, Meta(tz=True)] | None = None
    created_until: Annotated[datetime, Meta(tz=True)] | None = None  # exclusive


async def index(request: Request) -> Response:
    """Deliveries, newest first."""
    query = partial(delivery_records.page, **asdict(bodies.query(request, DeliveryFilters)))
    return await paging.listed(request, query, position=lambda row: row.id, shape=resources.Delivery.of)


async def read(request: Request) -> Response:
    """One delivery with its attempts, first to last."""
    reference = request.path_params["reference"]
    return answers.json(await of(request).executor.read(lambda connection: reading.delivery(connection, reference)))


async def retry(request: Request) -> Response:
    """Try it now; 202 with the delivery that will be made, a new one where this one has ended."""
    await bodies.parse(request, bodies.Nothing)
    reference = request.path_params["reference"]

    return await idempotent(request, lambda work: Success(202, resources.Delivery.of(replays.retry(work, reference))))
