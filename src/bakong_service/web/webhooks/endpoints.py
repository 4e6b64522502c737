"""Endpoints over HTTP: where the main backend wants its events. A secret is shown when it is made, and never again."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service import resources
from bakong_service.domain.endpoint import Endpoint, EndpointChange, NewEndpoint
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.operations.webhooks import endpoints as operations
from bakong_service.operations.webhooks import replays
from bakong_service.storage.webhooks import endpoints
from bakong_service.web.http import bodies, entity_tags, paging
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.service import of

Url = Annotated[str, Meta(min_length=1, max_length=2048)]
Description = Annotated[str, Meta(max_length=200)]
EventTypes = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=64)]
Secret = Annotated[str, Meta(max_length=200)]
AwareTime = Annotated[datetime, Meta(tz=True)]

_LAST_POSITION = 2**53 - 1  # every JSON reader keeps whole numbers exactly up to here


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
class EndpointRotationBody:
    """The new `secret`; without one it is made."""

    secret: Secret | None = None


@frozen(kw_only=True)
class ReplayBody:
    """What was written from `since` on and before `until`: the dead letters, or with `all` everything. A long stretch
    takes several calls: go on with the `next_after` of the answer before."""

    since: AwareTime
    until: AwareTime | None = None
    all: bool = False
    after: Annotated[int, Meta(ge=0, le=_LAST_POSITION)] = 0


async def index(request: Request) -> Response:
    """The endpoints, newest first."""
    bodies.query(request, bodies.Nothing)
    return await paging.listed(
        request, endpoints.page, position=lambda endpoint: endpoint.id, shape=resources.Endpoint.of
    )


async def read(request: Request) -> Response:
    """One endpoint."""
    reference = request.path_params["reference"]
    body = resources.Endpoint.of(await of(request).executor.read(lambda c: operations.get(c, reference)))
    return entity_tags.answer(request, body, tag=entity_tags.of(body))


async def create(request: Request) -> Response:
    """A new endpoint; 201 with its secret."""
    body = await bodies.parse(request, NewEndpointBody)
    new = NewEndpoint(
        url=body.url, description=body.description, event_types=frozenset(body.event_types or ()), secret=body.secret
    )
    return await idempotent(request, lambda work: _with_secret(201, *operations.create(work, new)))


async def change(request: Request) -> Response:
    """Another URL, description, or other event types."""
    body = await bodies.parse(request, EndpointChangeBody)
    types = None if body.event_types is None else frozenset(body.event_types)
    wanted = EndpointChange(url=body.url, description=body.description, event_types=types)
    reference = request.path_params["reference"]
    return await _changed(request, lambda work: operations.change(work, reference, wanted))


async def delete(request: Request) -> Response:
    """No more deliveries; those on their way are cancelled."""
    await bodies.parse(request, bodies.Nothing)
    reference = request.path_params["reference"]

    def operation(work: UnitOfWork) -> Success:
        operations.delete(work, reference)
        return Success(200, resources.DeletedEndpoint(reference=reference))

    return await idempotent(request, operation)


async def enable(request: Request) -> Response:
    """Deliveries go on from where they stopped."""
    await bodies.parse(request, bodies.Nothing)
    reference = request.path_params["reference"]
    return await _changed(request, lambda work: operations.enable(work, reference))


async def rotate(request: Request) -> Response:
    """Another secret; for 24 hours both sign."""
    secret = (await bodies.parse(request, EndpointRotationBody)).secret
    reference = request.path_params["reference"]
    return await idempotent(request, lambda work: _with_secret(200, *operations.rotate(work, reference, secret=secret)))


async def test(request: Request) -> Response:
    """Send an event `endpoint.test` there; 202 with its id."""
    await bodies.parse(request, bodies.Nothing)
    reference = request.path_params["reference"]
    return await idempotent(
        request, lambda work: Success(202, resources.EventReference(id=operations.test(work, reference)))
    )


async def replay(request: Request) -> Response:
    """Deliver a stretch of the feed again; 202 with how many."""
    body, reference = await bodies.parse(request, ReplayBody), request.path_params["reference"]

    def operation(work: UnitOfWork) -> Success:
        done = replays.replay(
            work, reference, since=body.since, until=body.until, failed_only=not body.all, after=body.after
        )
        return Success(202, done)

    return await idempotent(request, operation)


async def _changed(request: Request, change: Callable[[UnitOfWork], Endpoint]) -> Response:
    return await idempotent(request, lambda work: Success(200, resources.Endpoint.of(change(work))))


def _with_secret(status: int, endpoint: Endpoint, secret: str) -> Success:
    return Success(status, resources.EndpointWithSecret.of(endpoint, secret=secret))
