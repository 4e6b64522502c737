"""What a payer is told about a payment. Several statuses may mean the same to a payer."""

from datetime import datetime, timedelta
from enum import StrEnum

from bakong_service.domain.new_code import is_payable, may_have_new_code
from bakong_service.domain.payment import Flag, Payment, PaymentStatus


class State(StrEnum):
    """A state of the page. The catalogue, `texts.py`, says what the payer should do in it, and what not to do."""

    WAITING = "waiting"
    CHECKING = "checking"
    UNREACHABLE = "unreachable"
    PAID = "paid"
    LATE = "late"
    CREDITED = "credited"
    PARTLY_REFUNDED = "partly_refunded"
    REVIEW = "review"
    FAILED = "failed"
    CLOSING = "closing"  # the code has expired, and Bakong wasn't asked about it since
    EXPIRED = "expired"
    ASK_SHOP = "ask_shop"  # expired, and only the shop can make another payment
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    REFUNDED = "refunded"


SETTLED = frozenset({State.PAID, State.LATE, State.CREDITED, State.PARTLY_REFUNDED})
"""The payment is paid, and the payer has a receipt."""
FINAL = SETTLED | {State.CANCELLED, State.REPLACED, State.REFUNDED}
"""A page in one of these needn't be told of changes."""

_CHECKING_FOR = timedelta(seconds=15)  # after a hint: Bakong needs about ten seconds to show a payment
_UNREACHABLE_AFTER = 2  # answers that failed in a row: one alone says little


def state_of(payment: Payment, now: datetime, *, is_away: bool) -> State:
    """Return the state that a payer sees. Bakong `is_away` if it answers nothing at present.

    Whether a newer code replaces the payment isn't known here.
    """
    match payment.status:
        case PaymentStatus.PAID:
            if Flag.PARTLY_REFUNDED in payment.flags:
                return State.PARTLY_REFUNDED
            if Flag.CREDITED in payment.flags:
                return State.CREDITED
            return State.LATE if Flag.LATE in payment.flags else State.PAID
        case PaymentStatus.REVIEW:
            return State.REVIEW
        case PaymentStatus.CANCELLED:
            return State.CANCELLED
        case PaymentStatus.REFUNDED:
            return State.REFUNDED
        case _:
            return _unpaid(payment, now, is_away)


def _unpaid(payment: Payment, now: datetime, is_away: bool) -> State:
    if may_have_new_code(payment, now):
        return State.EXPIRED
    if is_away or payment.no_answers >= _UNREACHABLE_AFTER:
        return State.UNREACHABLE
    if not is_payable(payment, now):
        return State.CLOSING if payment.status is PaymentStatus.PENDING else State.ASK_SHOP
    if payment.hint_at is not None and now - payment.hint_at < _CHECKING_FOR:
        return State.CHECKING
    return State.FAILED if payment.status is PaymentStatus.FAILED else State.WAITING


def mark_of(payment: Payment, now: datetime, *, is_away: bool) -> str:
    """Return a text that changes whenever the page has something new to show."""
    return f"{state_of(payment, now, is_away=is_away)}-{payment.version}"
