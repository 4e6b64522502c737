"""Is it alive, is it ready. Trouble at Bakong doesn't make it unready: payments are made, and nothing is lost."""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, delete
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.watching import Mode
from bakong_service.operations.presenting import moment
from bakong_service.storage import access, outbox
from bakong_service.storage.executor import DatabaseUnavailable
from bakong_service.storage.facts import facts
from bakong_service.storage.inserting import insert_new
from bakong_service.storage.migrations import current, head
from bakong_service.storage.schema import idempotency_keys
from bakong_service.web.answers import json
from bakong_service.web.auth import authenticate, permit
from bakong_service.web.service import Service, of

log = structlog.get_logger(__name__)

MOST_LAG = timedelta(seconds=60)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def live(request: Request) -> Response:
    """The process answers."""
    del request
    return json({"status": "live"})


async def ready(request: Request) -> Response:
    """The database can be written, its schema is this version's, and events are dispatched."""
    service = of(request)
    reasons = await unready(service)
    if reasons:
        log.warning("not_ready", reasons=reasons)
        return json({"status": "unready", "reasons": reasons}, 503, {"Retry-After": "2"})
    return json({"status": "ready"} | (await _details(request) if "authorization" in request.headers else {}))


async def _details(request: Request) -> dict[str, Any]:
    """For a key with the scope `metrics`: how Bakong lets itself be asked, and how far behind the service is."""
    service = of(request)
    permit(await authenticate(request), "metrics")
    now = service.clock.now()
    doors = await service.executor.read(lambda connection: access.read(connection, now=now))
    return {
        "degraded": doors.mode is Mode.BLOCKED,
        "provider": {"mode": doors.mode.value, "reason": doors.reason, "since": moment(doors.since)},
        "facts": await service.executor.read(lambda connection: facts(connection, now=now), many=True),
        "revision": head(),
        "rate_limits": "shared" if service.limiter.is_shared else "in this process",
    }


async def unready(service: Service) -> list[str]:
    """Why the service can't do its work; empty when it can. No reason names a host or a secret."""
    try:
        await service.executor.run(_write)
        revision = await service.executor.read(current)
        waiting_since = await service.executor.read(outbox.oldest_undispatched)
    except DatabaseUnavailable:
        return ["database_unavailable"]
    reasons = []
    if revision != head():
        reasons.append("schema_not_at_head")
    if waiting_since is not None and service.clock.now() - waiting_since > MOST_LAG:
        reasons.append("events_not_dispatched")
    return reasons


def _write(connection: Connection) -> None:
    """A row and its end, in one transaction: a full disk or a read-only replica shows here."""
    row = {
        "key_id": "health", "route": "", "key": "", "fingerprint": "", "status": 0, "body_enc": b"",
        "expires_at": _EPOCH,
    }  # fmt: skip
    insert_new(connection, idempotency_keys, row)
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.key_id == "health"))
