"""`report`: sums over days and months."""

from datetime import date, timedelta
from typing import Literal

from attrs import asdict, fields
from cyclopts import App

from bakong_service.cli import opening, output
from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.storage.payments.takings import LONGEST, Step, Takings
from bakong_service.storage.payments.takings import takings as taken
from bakong_service.web.http.service import Service

app = App(name="report", help="Sums over days and months.")

COLUMNS = tuple(field.name for field in fields(Takings))


@app.command
def takings(
    *,
    since: date | None = None,
    until: date | None = None,
    by: Step = Step.DAY,
    format: Literal["table", "json", "csv"] = "table",  # noqa: A002 - the option's name
) -> None:
    """Show what came by day or month of Phnom Penh, currency and plan, and where it is now.

    Paid (net of refunds), refunded, credited, and in review add up to what came. Each day equals its `reconcile`.
    Money that isn't this shop's is left out.

    Parameters
    ----------
    since
        The first day, such as 2026-11-01. Without it, the first day of this month.
    until
        The day after the last one. Without it, tomorrow.
    by
        A line for each day, or for each month.
    format
        A table for people, or JSON or CSV for programs.
    """

    async def found(service: Service) -> list[Takings]:
        today = service.clock.now().astimezone(PHNOM_PENH).date()
        begins, ends = since or today.replace(day=1), until or today + timedelta(days=1)
        if not timedelta(0) < ends - begins <= LONGEST:
            opening.fail(f"--until must be after --since, by at most {LONGEST.days} days")
        return await service.executor.read(lambda c: taken(c, since=begins, until=ends, by=by), many=True)

    rows = [asdict(line) for line in opening.run(found)]
    if format == "json":
        output.json(rows)
    elif format == "csv":
        output.spreadsheet(rows, COLUMNS)
    else:
        output.many(rows, COLUMNS, as_json=False)
