"""Is it alive, is it ready. Trouble at Bakong doesn't make it unready: payments are made, and nothing is lost."""

import structlog
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.moment import moment
from bakong_service.domain.timekeeping import is_harmful
from bakong_service.domain.watching import Mode
from bakong_service.resources import ClockHealth, Live, ProviderHealth, Ready, Unready
from bakong_service.storage.bakong import access, provider_clock
from bakong_service.storage.checks.facts import facts
from bakong_service.storage.engine import belonging
from bakong_service.storage.migrations import HEAD
from bakong_service.web.http.answers import json
from bakong_service.web.http.auth import authenticate, bearer, permit
from bakong_service.web.http.service import of

log = structlog.get_logger(__name__)


async def live(request: Request) -> Response:
    """The process answers."""
    del request
    return json(Live())


async def ready(request: Request) -> Response:
    """The database can be written, its schema is this version's, and events are dispatched, as seen within the last
    second."""
    service = of(request)
    reasons = await service.readiness.reasons(service.executor, service.clock.now)
    if reasons:
        log.warning("not_ready", reasons=reasons)
        return json(Unready(reasons=reasons), 503, {"Retry-After": "2"})
    return json(await _detailed(request) if "authorization" in request.headers else Ready())


async def _detailed(request: Request) -> Ready:
    """For a key with the scope `metrics`: how Bakong lets itself be asked, and how far behind the service is."""
    service = of(request)
    permit(await authenticate(request, bearer(request)), "metrics")
    now = service.clock.now()
    doors = await service.executor.read(lambda connection: access.read(connection, now=now))
    clocks = await service.executor.read(lambda connection: provider_clock.read(connection, now=now))
    vault = service.business.vault
    missing = await service.executor.read(lambda connection: belonging.missing_keys(connection, vault=vault))
    grace = service.business.payments.grace
    harmful = clocks.skew is not None and is_harmful(clocks.skew, grace)
    return Ready(
        degraded=doors.mode is Mode.BLOCKED or clocks.distrusted or harmful or bool(missing),
        clock=ClockHealth(
            trusted=not clocks.distrusted,
            bakong_ahead_seconds=None if clocks.skew is None else clocks.skew.total_seconds(),
            differs_from_bakong=harmful,
        ),
        provider=ProviderHealth(mode=doors.mode, reason=doors.reason, since=moment(doors.since)),
        facts=await service.executor.read(lambda connection: facts(connection, now=now), many=True),
        missing_encryption_keys=missing,
        revision=HEAD,
        rate_limits="shared" if service.limiter.is_shared else "in this process",
    )
