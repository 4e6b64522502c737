"""API keys over HTTP, for who administers the service. A key's text is shown when it is made, and never again."""

from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Annotated, Any

from attrs import frozen
from msgspec import Meta
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Fault
from bakong_service.operations import keys as operations
from bakong_service.operations.keys import MadeKey, NewKey
from bakong_service.operations.presenting import moment
from bakong_service.storage import api_keys
from bakong_service.storage.api_keys import ApiKey
from bakong_service.web import answers, bodies
from bakong_service.web.auth import SCOPES, caller
from bakong_service.web.idempotency import Answer, idempotent
from bakong_service.web.problems import invalid
from bakong_service.web.service import of


@frozen(kw_only=True)
class NewKeyBody:
    """What the key is for, what it may do, from where and until when."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    scopes: Annotated[list[str], Meta(min_length=1, max_length=16)]
    allowed_cidrs: Annotated[list[str], Meta(max_length=32)] | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


@frozen(kw_only=True)
class RotationBody:
    """For how long the old key stays good, in seconds: a day, unless said otherwise; at most 30."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=30 * 86_400)] = 86_400


async def index(request: Request) -> Response:
    """Every key, newest first, those that are over too."""
    rows = await of(request).executor.read(api_keys.every, many=True)
    return answers.json({"object": "list", "data": [shown(key) for key in rows], "has_more": False})


async def create(request: Request) -> Response:
    """A new key; 201 with its text."""
    body = await bodies.parse(request, NewKeyBody)
    service, actor = of(request), caller(request).actor
    now = service.clock.now()
    if faults := tuple(_faults(body, now)):
        raise invalid(*faults)
    new = NewKey(
        name=body.name,
        scopes=frozenset(body.scopes),
        allowed_cidrs=frozenset(body.allowed_cidrs or ()),
        expires_at=body.expires_at,
        is_test=service.settings.is_test,
    )

    def operation(connection: Connection) -> Answer:
        return _made(operations.create(connection, service.business, new, actor=actor, now=now))

    return await idempotent(request, operation)


async def rotate(request: Request) -> Response:
    """A new key beside the old one; 201 with its text."""
    overlap = timedelta(seconds=(await bodies.parse(request, RotationBody)).overlap_seconds)
    service, actor, key_id = of(request), caller(request).actor, request.path_params["key_id"]
    is_test, now = service.settings.is_test, service.clock.now()

    def operation(connection: Connection) -> Answer:
        made = operations.rotate(
            connection, service.business, key_id, overlap=overlap, is_test=is_test, actor=actor, now=now
        )
        return _made(made)

    return await idempotent(request, operation)


async def revoke(request: Request) -> Response:
    """End a key at once."""
    await bodies.parse(request, bodies.Nothing)
    service, actor, key_id = of(request), caller(request).actor, request.path_params["key_id"]
    now = service.clock.now()

    def operation(connection: Connection) -> Answer:
        return Answer(200, shown(operations.revoke(connection, service.business, key_id, actor=actor, now=now)))

    return await idempotent(request, operation)


def shown(key: ApiKey) -> dict[str, Any]:
    """A key, as HTTP shows it."""
    return {
        "object": "key",
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "allowed_cidrs": sorted(key.allowed_cidrs),
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
        "last_used_at": moment(key.last_used_at),
    }


def _made(made: MadeKey) -> Answer:
    return Answer(201, shown(made.key) | {"key": made.text})


def _faults(body: NewKeyBody, now: datetime) -> list[Fault]:
    faults = [
        Fault(f"/scopes/{number}", "unknown_scope", f"there are {', '.join(SCOPES)}")
        for number, scope in enumerate(body.scopes)
        if scope not in SCOPES
    ]
    for number, cidr in enumerate(body.allowed_cidrs or ()):
        try:
            ip_network(cidr)
        except ValueError as error:
            faults.append(Fault(f"/allowed_cidrs/{number}", "invalid_network", str(error)))
    if body.expires_at is not None and body.expires_at <= now:
        faults.append(Fault("/expires_at", "in_the_past", f"must be after {moment(now)}"))
    return faults
