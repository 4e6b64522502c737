"""`Idempotency-Key`: a request that is sent again gets the same answer and changes nothing.

A request waits for another one with the same key. Another body under the same key is refused. Refusals and errors
aren't stored.
"""

import hashlib
import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from bakong_service.operations.idempotency import Again, Once, under_way
from bakong_service.operations.idempotency import Success as Success
from bakong_service.operations.unit_of_work import UnitOfWork, transaction
from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.idempotency import Claim
from bakong_service.web.http import answers, bodies
from bakong_service.web.http.auth import caller
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.service import of

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode  # `dumps` makes an encoder each time


async def idempotent(
    request: Request, operation: Callable[[UnitOfWork], Success], *, again: Again | None = None
) -> Response:
    """Run `operation` once for each `Idempotency-Key`, in the caller's name.

    Without a key it is run each time, unless the route demands a key and the service is in live mode. The operation
    writes only through its unit of work, because it may be run again from its start. `again` makes a repeated answer
    of the stored one.
    """
    service, actor, address = of(request), caller(request).actor, request.scope["client_ip"]
    key = request.headers.get("idempotency-key")  # `inputs` has checked it
    if key is None:
        if request.scope["endpoint"].keyed == "demanded" and not service.settings.is_test:
            detail = "the header Idempotency-Key is required: a new UUID for each payment, and the same one for a retry"
            raise Problem(status=400, code="idempotency_key_required", detail=detail)
        answer = await service.run(actor, operation, ip=address)
        return answers.json(answer.body, answer.status)
    vault, now = service.business.vault, service.clock.now()
    once = Once(
        claim=Claim(caller(request).family, f"{request.method} {request.scope['route'].path}", key),
        fingerprint=await _fingerprint(request),
        now=now,
        operation=transaction(service.business, actor, now, operation, ip=address),
        seal=vault.seal,
    )
    try:
        kept, replayed = await service.executor.run(once.run, committed=once.committed)
    except DatabaseUnavailable as error:
        if once.waited(error):
            raise under_way() from error
        raise
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    body = vault.open(kept.body, once.claim.place)
    if replayed and again is not None:
        stored = json.loads(body)
        return answers.json(await service.executor.read(lambda c: again(c, stored)), kept.status, headers)
    return Response(body, kept.status, headers, media_type="application/json")


async def _fingerprint(request: Request) -> str:
    """Return the SHA-256 of the path and of the body's members in a fixed order."""
    members = await bodies.members(request)
    canonical = _canonical([request.scope["path"], members])
    return hashlib.sha256(canonical.encode()).hexdigest()
