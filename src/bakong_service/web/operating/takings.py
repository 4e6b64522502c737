"""What the shop took in, over HTTP: as JSON, or as CSV for a spreadsheet."""

from datetime import date
from typing import Literal

from attrs import asdict, fields, frozen
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain import spreadsheet
from bakong_service.domain.errors import Fault
from bakong_service.resources import TakingsLine, TakingsReport
from bakong_service.storage.payments.takings import LONGEST, Step, Takings
from bakong_service.storage.payments.takings import takings as taken
from bakong_service.web.http import answers, bodies
from bakong_service.web.http.problems import invalid
from bakong_service.web.http.service import of


@frozen(kw_only=True)
class TakingsFilters:
    """From which day of Phnom Penh on, before which day, and a line for each day or for each month."""

    from_: date
    until: date  # exclusive
    by: Step = Step.DAY
    format: Literal["json", "csv"] | None = None


async def takings(request: Request) -> Response:
    """What came by day or month of Phnom Penh, currency and plan: paid (net of refunds), refunded, credited, in review.

    Money counts on the day on which the payer sent it, and what was refunded counts on that day too. Each day equals
    `bakong-service reconcile`. Money that isn't this shop's is left out. CSV where `format=csv` or `Accept: text/csv`
    asks for it; a cell that a spreadsheet would run as a formula has an apostrophe before it.
    """
    wanted = bodies.query(request, TakingsFilters)
    if not 0 < (wanted.until - wanted.from_).days <= LONGEST.days:
        raise invalid(Fault("?until", "invalid_value", f"must be after from, by at most {LONGEST.days} days"))
    lines = await of(request).executor.read(
        lambda connection: taken(connection, since=wanted.from_, until=wanted.until, by=wanted.by), many=True
    )
    accepted = request.headers.get("accept", "").lower()
    if wanted.format == "csv" or (wanted.format is None and "text/csv" in accepted):
        columns = [field.name for field in fields(Takings)]
        return Response(spreadsheet.table(columns, map(asdict, lines)), media_type="text/csv")
    return answers.json(TakingsReport(by=wanted.by.value, data=[TakingsLine.of(line) for line in lines]))
