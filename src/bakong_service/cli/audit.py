"""`audit`: the log of who did what."""

import sys
from datetime import timedelta
from functools import partial

from cyclopts import App

from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Limit, Operator
from bakong_service.operations import auditing
from bakong_service.resources import AuditEntry
from bakong_service.storage import audit
from bakong_service.web.http.service import Service

app = App(name="audit", help="The log of who did what.")


@app.command(name="list")
def list_(
    *, level: audit.Level | None = None, subject: str | None = None, limit: Limit = 50, json: AsJson = False
) -> None:
    """List the lines of the audit log, newest first. Changes of status are in the histories.

    Parameters
    ----------
    level
        Only SECURITY, which is what concerns keys and refusals, or only INFO.
    subject
        Only lines about one payment, subscription, endpoint or key.
    """
    query = partial(audit.page, limit=limit, level=level, subject=subject)
    rows = [AuditEntry.of(row) for row in opening.read(query)]
    output.many(rows, ("at", "action", "actor", "subject", "ip", "details"), as_json=json)


@app.command
def prune(*, older_than: int, operator: Operator = None) -> None:
    """Remove the oldest lines of the audit log. The log keeps a line that says how many, and who did it.

    Parameters
    ----------
    older_than
        Remove lines that are older than this many days, at least 366.
    """
    age, actor = timedelta(days=older_than), opening.actor_of(operator)

    async def removed(service: Service) -> int:
        total = 0
        while count := await service.run(actor, lambda work: auditing.prune(work, older_than=age)):
            total += count
        return total

    sys.stdout.write(f"{opening.run(removed)} lines are removed\n")
