"""Is it alive, is it ready. Trouble at Bakong doesn't make it unready: payments are made, and nothing is lost."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection, delete
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.storage import outbox
from bakong_service.storage.executor import DatabaseUnavailable
from bakong_service.storage.inserting import insert_new
from bakong_service.storage.migrations import current, head
from bakong_service.storage.schema import idempotency_keys
from bakong_service.web.answers import json
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
    reasons = await unready(of(request))
    if reasons:
        log.warning("not_ready", reasons=reasons)
        return json({"status": "unready", "reasons": reasons}, 503, {"Retry-After": "2"})
    return json({"status": "ready"})


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
