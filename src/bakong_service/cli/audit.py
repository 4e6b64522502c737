"""`audit`: the log of who did what."""

import sys
from datetime import timedelta

from cyclopts import App

from bakong_service.cli import opening
from bakong_service.cli.options import Operator
from bakong_service.operations import auditing
from bakong_service.web.http.service import Service

app = App(name="audit", help="The log of who did what.")


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
