"""`reconcile`: the money of a day, to be compared with the bank's statement."""

from datetime import date, timedelta
from typing import Any, Literal

from attrs import asdict, fields

from bakong_service.cli import opening, output
from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.moment import moment
from bakong_service.storage.payments.reconciliation import Line, Reconciliation, of_day
from bakong_service.web.http.service import Service

_SHOWN = ("payment", "state", "amount", "refunded", "currency", "expected", "sent_at", "external_ref")


def reconcile(day: date | None = None, *, format: Literal["table", "json", "csv"] = "table") -> None:  # noqa: A002 - the option's name
    """Show the money of a day in Phnom Penh: confirmed, late, in review, credited, refunded, rejected, unverifiable.

    Parameters
    ----------
    day
        The day, such as 2026-11-01. Without it, yesterday.
    format
        A table for people, or JSON or CSV for programs.
    """

    async def found(service: Service) -> Reconciliation:
        wanted = day or service.clock.now().astimezone(PHNOM_PENH).date() - timedelta(days=1)
        return await service.executor.read(lambda connection: of_day(connection, wanted), many=True)

    reconciliation = opening.run(found)
    rows = [_row(line) for line in reconciliation.lines]
    if format == "json":
        output.json({"day": reconciliation.day.isoformat(), "totals": reconciliation.totals(), "lines": rows})
    elif format == "csv":
        output.spreadsheet(rows, [field.name for field in fields(Line)])
    else:
        output.say(f"The money of {reconciliation.day.isoformat()} in Phnom Penh:")
        output.many(rows, _SHOWN, as_json=False)
        totals = [
            {"state": state, "total": total, "currency": currency}
            for state, each in reconciliation.totals().items()
            for currency, total in each.items()
        ]
        output.many(totals, ("state", "total", "currency"), as_json=False)


def _row(line: Line) -> dict[str, Any]:
    return asdict(line) | {"sent_at": moment(line.sent_at), "seen_at": moment(line.seen_at)}
