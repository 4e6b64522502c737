"""A day in Phnom Penh, for whoever compares it with the bank's statement: what came, and what is still open about it.

A receipt belongs to the day on which the payer sent (else Bakong recorded it, else we saw it). A payment of which
Bakong never said whether it was paid belongs to the day on which it was made.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal

from attrs import frozen
from sqlalchemy import Connection, Text, func, select, type_coerce

from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.identifiers import least_number
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag
from bakong_service.storage.schema import payments, receipts

_STATES = {"open": "review", "credited": "credited", "refunded": "refunded", "rejected": "rejected"}

_A_DAY = timedelta(days=1)
_CLOCKS_DIFFER = timedelta(hours=1)  # money is seen after it was sent, whatever two clocks say


@frozen(kw_only=True)
class Line:
    """One sighting of money, or one payment of which nobody knows. Amounts are decimals in major units, as text."""

    state: str  # confirmed, late, review, credited, refunded, rejected; unverifiable
    payment: str
    bill_number: str
    user_id: str | None
    expected: str  # what the QR asked for
    expected_currency: str
    amount: str | None  # what came, as Bakong wrote it; None where nothing was seen
    currency: str | None
    tx_hash: str | None
    external_ref: str | None
    sent_at: datetime | None
    seen_at: datetime | None


@frozen(kw_only=True)
class Reconciliation:
    """A day's lines, in the order in which the money was sent; the unverifiable payments last."""

    day: date
    lines: tuple[Line, ...]

    def totals(self) -> dict[str, dict[str, str]]:
        """What came, by state and currency, in major units; of unverifiable payments what they asked for."""
        sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for line in self.lines:
            sums[line.state][line.currency or line.expected_currency] += Decimal(line.amount or line.expected)
        return {
            state: {currency: _written(total, currency) for currency, total in each.items()}
            for state, each in sums.items()
        }


def _written(total: Decimal, currency: str) -> str:
    """With the currency's own decimals, or more where a payer managed to send half a riel."""
    try:
        return str(Money.of(total, currency))
    except ValueError:
        return f"{total:f}"


def of_day(connection: Connection, day: date) -> Reconciliation:
    """The reconciliation of a day of Phnom Penh, from midnight to midnight."""
    begins = datetime.combine(day, time_of_day(), PHNOM_PENH)
    return Reconciliation(day=day, lines=(*_seen(connection, begins), *_unverifiable(connection, begins)))


def _seen(connection: Connection, begins: datetime) -> Iterator[Line]:
    moment = func.coalesce(
        receipts.c.sent_at, receipts.c.acknowledged_at, receipts.c.seen_at, type_=receipts.c.seen_at.type
    )
    query = (
        select(
            payments.c.reference, payments.c.bill_number, payments.c.user_id, payments.c.flags, payments.c.amount,
            payments.c.currency, receipts.c.amount.label("seen_amount"), receipts.c.currency.label("seen_currency"),
            receipts.c.tx_hash, receipts.c.external_ref, moment.label("sent_at"), receipts.c.seen_at,
            receipts.c.disposition,
        )
        .join(payments, payments.c.id == receipts.c.payment_id)
        .where(moment >= begins, moment < begins + _A_DAY, receipts.c.seen_at >= begins - _CLOCKS_DIFFER)
        .order_by(moment, receipts.c.id)
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
            amount=row.seen_amount,
            currency=row.seen_currency,
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
            tx_hash=None,
            external_ref=None,
            sent_at=None,
            seen_at=None,
        )
