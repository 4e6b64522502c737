"""The promise that each running period holds what its unserved time is worth (a part of I11).

It needs exact fractions, which SQL doesn't have.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, select

from bakong_service.domain import ledger as accounts
from bakong_service.domain.subscription import LIVE
from bakong_service.domain.value import held, rounded
from bakong_service.storage.checks.invariants import Violation
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.schema import subscriptions
from bakong_service.storage.subscriptions import periods

PROMISE = "a period holds what its unserved time is worth"


def astray(connection: Connection, *, now: datetime) -> Iterator[Violation]:
    """Yield each period that holds more than was put into it, or less than its unserved time is worth."""
    query = select(subscriptions.c.id, subscriptions.c.reference, subscriptions.c.period_number).where(
        subscriptions.c.status.in_(LIVE)
    )
    for row in connection.execute(query).all():
        paid = periods.from_number(connection, row.id, row.period_number)
        balances = ledger.balances(connection, {period.id: accounts.period(period.id) for period in paid})
        for period in paid:
            kept, most = balances.get(period.id, 0), rounded(period.value)
            least = min(held(period, now), most)  # a check whose clock is behind sees more time left than there is
            if not least <= kept <= most:
                found = f"period {period.number} holds {kept}, between {least} and {most} is right"
                yield Violation(invariant="I11", promise=PROMISE, subject=row.reference, found=found)
