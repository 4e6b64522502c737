"""`Idempotency-Key`: the same request, sent again, gets the same answer and changes nothing.

The key and what the request does are committed together, so a crash leaves both or neither. A twin that is under way
is waited for; another body under the same key is refused; what was refused or failed isn't kept.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Conflict, Fault, Invalid
from bakong_service.storage import idempotency
from bakong_service.storage.idempotency import Claim, Kept
from bakong_service.web import answers, bodies
from bakong_service.web.auth import caller
from bakong_service.web.problems import Problem
from bakong_service.web.service import Service, of

KEPT_FOR = timedelta(days=7)
_MOST = 255
_CANCELLED = "57014"  # PostgreSQL: query_canceled, which a statement that waits too long ends with


@frozen
class Answer:
    """What an operation answers with: a status and a JSON object of plain values."""

    status: int
    body: dict[str, Any]


async def idempotent(
    request: Request, operation: Callable[[Connection], Answer], *, required: bool = False
) -> Response:
    """Run `operation` once per `Idempotency-Key`. Without a key it is just run, unless it is `required` in live mode.

    The operation gets a connection and writes through it alone: it may be run again from its start.
    """
    service = of(request)
    key = _key(request)
    if key is None:
        if required and not service.settings.is_test:
            detail = "the header Idempotency-Key must be given: a new UUID for each payment, the same one for a retry"
            raise Problem(status=400, code="idempotency_key_required", detail=detail)
        answer = await service.executor.run(operation)
        return answers.json(answer.body, answer.status)
    claim = Claim(caller(request).key_id, f"{request.method} {request.scope['route'].path}", key)
    kept, replayed = await _once(service, claim, await _fingerprint(request), operation)
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    body = service.business.vault.open(kept.body, claim.place)
    return Response(body, kept.status, headers, media_type="application/json")


async def _once(
    service: Service, claim: Claim, fingerprint: str, operation: Callable[[Connection], Answer]
) -> tuple[Kept, bool]:
    now = service.clock.now()
    waiting = True

    def run(connection: Connection) -> tuple[Kept, bool]:
        nonlocal waiting
        waiting = True
        claimed = idempotency.claim(connection, claim, fingerprint=fingerprint, expires_at=now + KEPT_FOR, now=now)
        waiting = False
        if not claimed:
            kept = idempotency.find(connection, claim)
            if kept is None:  # the twin's row went while we looked: it expired
                raise _under_way()
            if kept.fingerprint != fingerprint:
                raise _another_body()
            return kept, True
        answer = operation(connection)
        kept = Kept(fingerprint, answer.status, service.business.vault.seal(_text(answer.body), claim.place))
        idempotency.keep(connection, claim, status=kept.status, body=kept.body)
        return kept, False

    def committed(connection: Connection) -> tuple[Kept, bool] | None:
        kept = idempotency.find(connection, claim)
        return None if kept is None else (kept, False)

    try:
        return await service.executor.run(run, committed=committed)
    except DBAPIError as error:
        if waiting and getattr(error.orig, "sqlstate", None) == _CANCELLED:
            raise _under_way() from error
        raise


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (1 <= len(key) <= _MOST and key.isascii() and key.isprintable()):
        rule = f"1 to {_MOST} printable ASCII characters"
        raise Invalid("invalid_request", f"Idempotency-Key: {rule}", (Fault("Idempotency-Key", "invalid_value", rule),))
    return key


async def _fingerprint(request: Request) -> str:
    """SHA-256 of the path and the body's members in a fixed order."""
    members = await bodies.members(request)
    canonical = json.dumps([request.url.path, members], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _text(body: dict[str, Any]) -> str:
    return answers.encode(body).decode()


def _under_way() -> Conflict:
    return Conflict("idempotency_in_progress", "a request with this Idempotency-Key is under way; repeat this one soon")


def _another_body() -> Invalid:
    rule = "this key was used for another request; take a new one"
    fault = Fault("Idempotency-Key", "idempotency_key_reused", rule)
    return Invalid("idempotency_key_reused", f"Idempotency-Key: {rule}", (fault,))
