"""What reports read: receipts beside their payments, when their money came, and how much of it was refunded."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Text, case, cast, func, literal

from bakong_service.domain.ledger import AccountKind
from bakong_service.storage.schema import ledger_balances, payments, receipts

_MICROSECOND = timedelta(microseconds=1)
_CLOCKS_DIFFER = timedelta(hours=1)  # two clocks may say that money was seen before it was sent
_outside = ledger_balances.alias()

MOMENT = func.coalesce(
    receipts.c.sent_at, receipts.c.acknowledged_at, receipts.c.seen_at, type_=receipts.c.seen_at.type
)
"""When money came: when the payer sent it, else when Bakong recorded it, else when the service saw it."""

KEPT_OR_SENT_BACK = ("applied", "credited", "refunded")
"""The dispositions of money that bought something or became credit, or that was sent back."""

REFUNDED = case((receipts.c.disposition.in_(KEPT_OR_SENT_BACK), receipts.c.amount_minor + _outside.c.minor))
"""How much of a receipt's money was refunded, in minor units; null if it has no whole minor units."""

MONEY_SEEN = receipts.join(payments, payments.c.id == receipts.c.payment_id).outerjoin(
    _outside,
    (_outside.c.origin == literal("receipt:") + cast(receipts.c.id, Text))
    & (_outside.c.account == AccountKind.OUTSIDE.value)
    & (_outside.c.currency == receipts.c.currency),
)


def came_within(begins: datetime, ends: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for money that came from `begins` on and before `ends`. An index finds it."""
    return MOMENT.between(begins, ends - _MICROSECOND), receipts.c.seen_at >= begins - _CLOCKS_DIFFER
