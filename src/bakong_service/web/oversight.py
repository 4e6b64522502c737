"""How the service itself is doing: the day's calls to Bakong, and whether all that must hold does hold."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.watching import Mode
from bakong_service.operations.presenting import moment
from bakong_service.storage import access, claims
from bakong_service.storage import budget as budgets
from bakong_service.storage.facts import facts
from bakong_service.storage.verification import Violation, verify
from bakong_service.web import answers
from bakong_service.web.service import Service, of


async def budget(request: Request) -> Response:
    """The calls of today (Phnom Penh), and how the watcher is asking."""
    return answers.json(await today(of(request)))


async def verification(request: Request) -> Response:
    """Every row that breaks an invariant; an empty list is the good answer. Reads the whole database."""
    found = await violations(of(request))
    return answers.json({"object": "verification", "holds": not found, "violations": [broken(each) for each in found]})


async def violations(service: Service) -> list[Violation]:
    """What breaks an invariant now."""
    business, now = service.business, service.clock.now()
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
    text, content_type = service.metrics.exposition(found)
    return Response(text, media_type=content_type)


async def today(service: Service) -> dict[str, Any]:
    """The day's calls, as HTTP and commands show them.

    `budget_remaining` and `payments_affordable` are null without a limit, `mode_since` where few calls are left.
    """
    now, limit = service.clock.now(), service.settings.bakong_daily_limit
    allowance = await service.executor.read(lambda connection: budgets.read(connection, limit=limit, now=now))
    doors = await service.executor.read(lambda connection: access.read(connection, now=now))
    pending = await service.executor.read(lambda connection: claims.count_open(connection, at_most=limit or 0))
    mode, reason, since = doors.mode, doors.reason, moment(doors.since)
    if allowance.mode(mode, pending) is Mode.STARVED:
        mode, reason, since = Mode.STARVED, "quota" if allowance.blocked_until else "few_calls_left", None
    return {
        "object": "budget",
        "day": allowance.day,
        "limit": allowance.limit,
        "used": allowance.used,
        "budget_remaining": allowance.remaining,
        "payments_affordable": allowance.payments_affordable,
        "blocked_until": moment(allowance.blocked_until),
        "mode": mode.value,
        "mode_reason": reason,
        "mode_since": since,
    }


def broken(violation: Violation) -> dict[str, str]:
    """One row that breaks an invariant."""
    return {
        "invariant": violation.invariant,
        "promise": violation.promise,
        "subject": violation.subject,
        "found": violation.found,
    }
