"""The money of one day in Phnom Penh, to be compared with the bank's statement.

A receipt belongs to the day on which the payer sent the money; without that time, to the day on which Bakong recorded
it, or else the service saw it. An unverifiable payment belongs to the day on which it was made.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal

from attrs import frozen
from sqlalchemy import Connection, Text, select, type_coerce

from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.identifiers import least_number
from bakong_service.domain.money import Money, written
from bakong_service.domain.payment import Flag
from bakong_service.domain.review import Disposition
from bakong_service.storage.payments.money_seen import MOMENT, MONEY_SEEN, REFUNDED, came_within
from bakong_service.storage.schema import payments, receipts

_STATES = {
    Disposition.OPEN: "review",
    Disposition.CREDITED: "credited",
    Disposition.REFUNDED: "refunded",
    Disposition.REJECTED: "rejected",
}

_A_DAY = timedelta(days=1)


@frozen(kw_only=True)
class Line:
    """One receipt, or one unverifiable payment. Amounts are decimals in major units, as text."""

    state: str  # confirmed, late, review, credited, refunded, rejected; unverifiable
    payment: str
    bill_number: str
    user_id: str | None
    expected: str  # what the QR asked for
    expected_currency: str
    amount: str | None  # what came; None if nothing was seen
    currency: str | None
    refunded: str | None  # how much of it was refunded; None if nothing was
    tx_hash: str | None
    external_ref: str | None
    sent_at: datetime | None
    seen_at: datetime | None


@frozen(kw_only=True)
class Reconciliation:
    """A day's lines, in the order in which the money was sent, and then the unverifiable payments."""

    day: date
    lines: tuple[Line, ...]

    def totals(self) -> dict[str, dict[str, str]]:
        """Return the sums by state and currency, in major units.

        What was refunded counts as `refunded`, also where the rest of the money stays. An unverifiable payment counts
        with what it asked for.
        """
        sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for line in self.lines:
            currency, refunded = line.currency or line.expected_currency, Decimal(line.refunded or 0)
            if rest := Decimal(line.amount or line.expected) - refunded:
                sums[line.state][currency] += rest
            if refunded:
                sums["refunded"][currency] += refunded
        return {
            state: {currency: written(total, currency) for currency, total in each.items()}
            for state, each in sums.items()
        }


def of_day(connection: Connection, day: date) -> Reconciliation:
    """Return the reconciliation of a day in Phnom Penh, from midnight to midnight."""
    begins = datetime.combine(day, time_of_day(), PHNOM_PENH)
    return Reconciliation(day=day, lines=(*_seen(connection, begins), *_unverifiable(connection, begins)))


def _seen(connection: Connection, begins: datetime) -> Iterator[Line]:
    query = (
        select(
            payments.c.reference, payments.c.bill_number, payments.c.user_id, payments.c.flags, payments.c.amount,
            payments.c.currency, receipts.c.amount.label("seen_amount"), receipts.c.currency.label("seen_currency"),
            receipts.c.tx_hash, receipts.c.external_ref, MOMENT.label("sent_at"), receipts.c.seen_at,
            receipts.c.disposition, REFUNDED.label("refunded"),
        )
        .select_from(MONEY_SEEN)
        .where(*came_within(begins, begins + _A_DAY))
        .order_by(MOMENT, receipts.c.id)
    )  # fmt: skip
    for row in connection.execute(query):
        applied = "late" if Flag.LATE in row.flags else "confirmed"
        yield Line(
            state=_STATES.get(row.disposition, applied),
            payment=row.reference,
            bill_number=row.bill_number,
            user_id=row.user_id,
            expected=str(Money(row.amount, row.currency)),
            expected_currency=row.currency,
            amount=written(Decimal(row.seen_amount), row.seen_currency),
            currency=row.seen_currency,
            refunded=str(Money(row.refunded, row.seen_currency)) if row.refunded else None,
            tx_hash=row.tx_hash,
            external_ref=row.external_ref,
            sent_at=row.sent_at,
            seen_at=row.seen_at,
        )


def _unverifiable(connection: Connection, begins: datetime) -> Iterator[Line]:
    seen = select(receipts.c.id).where(receipts.c.payment_id == payments.c.id).exists()
    query = (
        select(payments.c.reference, payments.c.bill_number, payments.c.user_id, payments.c.amount, payments.c.currency)
        .where(
            payments.c.id >= least_number(begins),
            payments.c.id < least_number(begins + _A_DAY),
            payments.c.status.in_(("timeout", "failed", "cancelled")),
            type_coerce(payments.c.flags, Text).contains(Flag.UNVERIFIABLE.value),
            ~seen,
        )
        .order_by(payments.c.id)
    )
    for row in connection.execute(query):
        yield Line(
            state="unverifiable",
            payment=row.reference,
            bill_number=row.bill_number,
            user_id=row.user_id,
            expected=str(Money(row.amount, row.currency)),
            expected_currency=row.currency,
            amount=None,
            currency=None,
            refunded=None,
            tx_hash=None,
            external_ref=None,
            sent_at=None,
            seen_at=None,
        )
