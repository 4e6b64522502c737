"""Endpoints over HTTP: where the main backend wants its events. A secret is shown when it is made, and never again."""

from datetime import datetime
from typing import Annotated

from attrs import frozen
from msgspec import Meta
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.endpoint import Endpoint, EndpointChange, NewEndpoint
from bakong_service.operations import endpoints as operations
from bakong_service.operations import replays
from bakong_service.operations.business import Business
from bakong_service.operations.webhook_presenting import endpoint as shown
from bakong_service.storage import endpoints
from bakong_service.web import answers, bodies, paging
from bakong_service.web.auth import caller
from bakong_service.web.idempotency import Answer, idempotent
from bakong_service.web.service import of

Url = Annotated[str, Meta(min_length=1, max_length=2048)]
Description = Annotated[str, Meta(max_length=200)]
EventTypes = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=64)]
Secret = Annotated[str, Meta(max_length=200)]
AwareTime = Annotated[datetime, Meta(tz=True)]


@frozen(kw_only=True)
class NewEndpointBody:
    """A URL; without `event_types` all events go there, without a `secret` one is made."""

    url: Url
    description: Description | None = None
    event_types: EventTypes | None = None
    secret: Secret | None = None


@frozen(kw_only=True)
class EndpointChangeBody:
    """What is to change; what isn't given stays. An empty list of `event_types` means all."""

    url: Url | None = None
    description: Description | None = None
    event_types: EventTypes | None = None


@frozen(kw_only=True)
class RotationBody:
    """The new `secret`; without one it is made."""

    secret: Secret | None = None


@frozen(kw_only=True)
class ReplayBody:
    """What was written from `since` on and before `until`: the dead letters, or with `all` everything. A long stretch
    takes several calls: go on with the `next_after` of the answer before."""

    since: AwareTime
    until: AwareTime | None = None
    all: bool = False
    after: Annotated[int, Meta(ge=0)] = 0


async def index(request: Request) -> Response:
    """The endpoints, newest first."""
    page = paging.page_of(request)
    bodies.query(request, bodies.Nothing)
    rows = await of(request).executor.read(
        lambda connection: endpoints.page(
            connection, limit=page.fetch, after=page.starting_after, before=page.ending_before
        ),
        many=True,
    )
    return paging.answer(request, page, rows, position=lambda endpoint: endpoint.id, shape=shown)


async def read(request: Request) -> Response:
    """One endpoint."""
    reference = request.path_params["reference"]
    return answers.json(shown(await of(request).executor.read(lambda c: operations.get(c, reference))))


async def create(request: Request) -> Response:
    """A new endpoint; 201 with its secret."""
    body = await bodies.parse(request, NewEndpointBody)
    new = NewEndpoint(
        url=body.url, description=body.description, event_types=frozenset(body.event_types or ()), secret=body.secret
    )
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        made = operations.create(connection, order.business, new, actor=order.actor, now=order.now)
        return _with_secret(201, *made)

    return await idempotent(request, operation)


async def change(request: Request) -> Response:
    """Another URL, description, or other event types."""
    body = await bodies.parse(request, EndpointChangeBody)
    types = None if body.event_types is None else frozenset(body.event_types)
    wanted = EndpointChange(url=body.url, description=body.description, event_types=types)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        changed = operations.change(
            connection, order.business, order.reference, wanted, actor=order.actor, now=order.now
        )
        return Answer(200, shown(changed))

    return await idempotent(request, operation)


async def delete(request: Request) -> Response:
    """No more deliveries; those on their way are cancelled."""
    await bodies.parse(request, bodies.Nothing)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        operations.delete(connection, order.business, order.reference, actor=order.actor, now=order.now)
        return Answer(200, {"object": "endpoint", "reference": order.reference, "deleted": True})

    return await idempotent(request, operation)


async def enable(request: Request) -> Response:
    """Deliveries go on from where they stopped."""
    await bodies.parse(request, bodies.Nothing)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        enabled = operations.enable(connection, order.business, order.reference, actor=order.actor, now=order.now)
        return Answer(200, shown(enabled))

    return await idempotent(request, operation)


async def rotate(request: Request) -> Response:
    """Another secret; for 24 hours both sign."""
    secret = (await bodies.parse(request, RotationBody)).secret
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        rotated = operations.rotate(
            connection, order.business, order.reference, secret=secret, actor=order.actor, now=order.now
        )
        return _with_secret(200, *rotated)

    return await idempotent(request, operation)


async def test(request: Request) -> Response:
    """Send an event `endpoint.test` there; 202 with its id."""
    await bodies.parse(request, bodies.Nothing)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        event = operations.test(connection, order.business, order.reference, actor=order.actor, now=order.now)
        return Answer(202, {"object": "event", "id": event})

    return await idempotent(request, operation)


async def replay(request: Request) -> Response:
    """Deliver a stretch of the feed again; 202 with how many."""
    body = await bodies.parse(request, ReplayBody)
    order = _order(request)

    def operation(connection: Connection) -> Answer:
        done = replays.replay(
            connection,
            order.business,
            order.reference,
            since=body.since,
            until=body.until,
            failed_only=not body.all,
            after=body.after,
            actor=order.actor,
            now=order.now,
        )
        return Answer(202, {"object": "replay", "count": done.count, "next_after": done.next_after})

    return await idempotent(request, operation)


@frozen(kw_only=True)
class _Order:
    """Who asks for what, and when."""

    business: Business
    reference: str  # of the endpoint that the path names
    actor: str
    now: datetime


def _order(request: Request) -> _Order:
    service = of(request)
    return _Order(
        business=service.business,
        reference=request.path_params.get("reference", ""),
        actor=caller(request).actor,
        now=service.clock.now(),
    )


def _with_secret(status: int, endpoint: Endpoint, secret: str) -> Answer:
    return Answer(status, shown(endpoint) | {"secret": secret})
