"""The audit log loses its oldest lines alone, when an operator says so, and it says that they are gone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bakong_service.domain.errors import Invalid
from bakong_service.operations import auditing
from bakong_service.storage import audit, schema
from bakong_service.storage.checks.invariants import violations
from bakong_service.web.http.service import Service

pytestmark = pytest.mark.anyio


async def actions(service: Service) -> list[str]:
    rows = await service.executor.read(lambda c: audit.page(c, limit=100))
    return [row.action for row in rows]


async def gaps(service: Service) -> list[str]:
    """Return what `verify` says of the numbers of the log."""
    now = datetime.now(UTC)
    found = await service.executor.read(lambda c: list(violations(c, subscription_grace=timedelta(0), now=now)))
    return [each.subject for each in found if each.invariant == "I18"]


async def test_lines_are_removed_from_the_oldest_on_and_the_log_says_so(service: Service) -> None:
    now = datetime.now(UTC)
    for days in (800, 400, 367, 365, 1):
        at = now - timedelta(days=days)

        def write(connection: Any, at: datetime = at, days: int = days) -> None:
            audit.write(
                connection, service.business.identifiers, action=f"{days} days ago", actor="operator:dara", now=at
            )

        await service.executor.run(write)
    await service.executor.run(audit.number_lines)
    removed = await service.run("operator:dara", lambda work: auditing.prune(work, older_than=timedelta(days=366)))
    assert removed == 3
    [pruned, *kept] = [each for each in await actions(service) if not each.startswith("plan")]
    assert (pruned, kept) == ("audit.pruned", ["1 days ago", "365 days ago"])
    entry = (await service.executor.read(lambda c: audit.page(c, limit=1)))[0]
    assert (entry.actor, entry.level, entry.details) == (
        "operator:dara",
        "SECURITY",
        {"lines": 3, "last_number": 3, "older_than_days": 366},
    )
    assert await gaps(service) == []
    again = await service.run("operator:dara", lambda work: auditing.prune(work, older_than=timedelta(days=366)))
    assert again == 0
    count = select(func.count()).where(schema.audit_log.c.action == "audit.pruned")
    assert await service.executor.read(lambda c: c.execute(count).scalar_one()) == 1


async def test_a_younger_line_is_never_removed(service: Service) -> None:
    with pytest.raises(Invalid, match="at least 366 days"):
        await service.run("operator:dara", lambda work: auditing.prune(work, older_than=timedelta(days=365)))
