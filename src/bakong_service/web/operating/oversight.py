"""How the service itself is doing: the day's calls to Bakong, and whether all that must hold does hold."""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.watching import Mode
from bakong_service.resources import Budget, Verification
from bakong_service.storage.bakong import access
from bakong_service.storage.bakong import budget as budgets
from bakong_service.storage.checks.facts import by_status, facts
from bakong_service.storage.checks.verification import Violation, verify
from bakong_service.storage.payments import claims
from bakong_service.web.http import answers
from bakong_service.web.http.service import Service, of


async def budget(request: Request) -> Response:
    """The calls of today (Phnom Penh), and how the watcher is asking."""
    return answers.json(await today(of(request)))


async def verification(request: Request) -> Response:
    """Every row that breaks an invariant; an empty list is the good answer. Reads the whole database."""
    return answers.json(Verification.of(await violations(of(request))))


async def violations(service: Service, *, at: datetime | None = None) -> list[Violation]:
    """Return every row that breaks an invariant now, or that broke one at the moment `at`.

    `at` is for a database that no service has used since that moment, such as a restored backup. What has become
    overdue since then breaks no promise.
    """
    business, now = service.business, at or service.clock.now()
    return await service.executor.read(
        lambda connection: verify(connection, business.vault, subscription_grace=business.subscriptions.grace, now=now),
        patient=True,
    )


async def metrics(request: Request) -> Response:
    """Metrics for Prometheus."""
    service = of(request)
    now = service.clock.now()
    found = await service.executor.read(lambda connection: facts(connection, now=now), many=True)
    allowance = await service.executor.read(
        lambda connection: budgets.read(connection, limit=service.settings.bakong_daily_limit, now=now)
    )
    found["budget_used"] = allowance.used
    if allowance.remaining is not None:
        found["budget_remaining"] = allowance.remaining
    statuses = await service.executor.read(lambda connection: by_status(connection, now=now), many=True)
    text, content_type = service.metrics.exposition(found, statuses)
    return Response(text, media_type=content_type)


async def today(service: Service) -> Budget:
    """The day's calls, as HTTP and commands show them.

    `budget_remaining` and `payments_affordable` are null if there is no limit. `mode_since` is null in the mode
    `starved`.
    """
    now, limit = service.clock.now(), service.settings.bakong_daily_limit
    allowance = await service.executor.read(lambda connection: budgets.read(connection, limit=limit, now=now))
    last_access = await service.executor.read(lambda connection: access.read(connection, now=now))
    # With as many open payments as calls in a day, the calls are too few in any case, so counting stops there.
    # Without a limit, the number isn't used.
    pending = await service.executor.read(lambda connection: claims.count_open(connection, at_most=limit or 0))
    if allowance.mode(last_access.mode, pending) is Mode.STARVED:
        return Budget.of(
            allowance,
            mode=Mode.STARVED,
            reason="quota" if allowance.blocked_until else "few_calls_left",
            since=None,
        )
    return Budget.of(allowance, mode=last_access.mode, reason=last_access.reason, since=last_access.since)
