"""API keys over HTTP, for who administers the service. A key's text is shown when it is made, and never again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_network
from typing import Annotated, Any

from attrs import frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service import resources
from bakong_service.domain.errors import Fault
from bakong_service.domain.moment import moment
from bakong_service.domain.scope import Scope
from bakong_service.operations import keys as operations
from bakong_service.operations.keys import NewKey
from bakong_service.storage import api_keys
from bakong_service.web.http import bodies, paging
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.service import of


@frozen(kw_only=True)
class NewKeyBody:
    """What the key is for, what it may do, from where and until when."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=16)]
    allowed_cidrs: Annotated[list[str], Meta(max_length=32)] | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None

    @staticmethod
    def faults(given: Mapping[str, Any], now: datetime) -> list[Fault]:
        """Return what is wrong with members that are right each by itself."""
        faults = []
        for number, cidr in enumerate(given["allowed_cidrs"] or ()):
            try:
                ip_network(cidr)
            except ValueError as error:
                faults.append(Fault(f"/allowed_cidrs/{number}", "invalid_network", str(error)))
        if given["expires_at"] is not None and datetime.fromisoformat(given["expires_at"]) <= now:
            faults.append(Fault("/expires_at", "in_the_past", f"must be after {moment(now)}"))
        return faults


@frozen(kw_only=True)
class KeyRotationBody:
    """For how long the old key stays good, in seconds: a day, unless said otherwise; at most 30."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=30 * 86_400)] = 86_400


async def index(request: Request) -> Response:
    """Every key, newest first, those that are over too."""
    return await paging.listed(request, api_keys.page, position=lambda key: key.id, shape=resources.Key.of)


async def create(request: Request) -> Response:
    """A new key; 201 with its text."""
    body = await bodies.parse(request, NewKeyBody)
    service = of(request)
    new = NewKey(
        name=body.name,
        scopes=frozenset(body.scopes),
        allowed_cidrs=frozenset(body.allowed_cidrs or ()),
        expires_at=body.expires_at,
        is_test=service.settings.is_test,
    )
    again = partial(operations.shown_again, now=service.clock.now())
    return await idempotent(request, lambda work: Success(201, operations.create(work, new)), again=again)


async def rotate(request: Request) -> Response:
    """A new key beside the old one; 201 with its text."""
    overlap = timedelta(seconds=(await bodies.parse(request, KeyRotationBody)).overlap_seconds)
    service, key_id = of(request), request.path_params["key_id"]
    is_test = service.settings.is_test
    return await idempotent(
        request,
        lambda work: Success(201, operations.rotate(work, key_id, overlap=overlap, is_test=is_test)),
        again=partial(operations.shown_again, now=service.clock.now()),
    )


async def revoke(request: Request) -> Response:
    """End a key at once."""
    await bodies.parse(request, bodies.Nothing)
    key_id = request.path_params["key_id"]
    return await idempotent(request, lambda work: Success(200, resources.Key.of(operations.revoke(work, key_id))))
