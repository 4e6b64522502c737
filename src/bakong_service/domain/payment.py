"""A payment, and the table of how it changes. `find` looks a change up; `operations/payments` carries it out."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from attrs import frozen

from bakong_service.domain.errors import Conflict
from bakong_service.domain.look import LookReason
from bakong_service.domain.money import Money
from bakong_service.domain.return_urls import ReturnURLs
from bakong_service.domain.review import Disposition, ReviewKind


class PaymentStatus(StrEnum):
    """What the main backend may assume. Money is a separate fact: see receipts."""

    PENDING = "pending"
    PAID = "paid"
    REVIEW = "review"
    TIMEOUT = "timeout"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUNDED = "refunded"


class Purpose(StrEnum):
    """What a payment is for."""

    NEW = "new"
    RENEWAL = "renewal"
    UPGRADE = "upgrade"
    ONE_OFF = "one_off"


class Flag(StrEnum):
    """A fact beside the status."""

    LATE = "late"
    DUPLICATE = "duplicate"
    UNVERIFIABLE = "unverifiable"
    SUPERSEDED = "superseded"
    CREDITED = "credited"  # an operator made the money the user's credit, and nothing was bought
    PARTLY_REFUNDED = "partly_refunded"  # some of the money was sent back
    REVERSED = "reversed"  # refunded, and what it bought was taken back


@frozen(kw_only=True)
class Payment:
    """A payment as it stands. `version` rises by one with each change of `status` or `flags`."""

    id: int
    reference: str
    bill_number: str
    md5: str
    qr: bytes  # sealed
    user_id: str | None
    purpose: Purpose
    plan: str | None
    plan_version: int | None
    subscription_id: int | None
    subscription: str | None  # the subscription's reference
    quote: dict[str, Any] | None
    description: str | None
    metadata: dict[str, str] | None
    amount: Money
    credit_reserved: int
    to_account: str
    status: PaymentStatus
    flags: frozenset[str]
    version: int
    created_at: datetime
    qr_expires_at: datetime
    deadline_at: datetime
    watch_until: datetime
    paid_at: datetime | None = None  # when the payer sent the money, as Bakong says
    next_check_at: datetime | None = None
    next_check_reason: LookReason | None = None
    priority: int = 2
    fence: int = 0
    checks: int = 0
    no_answers: int = 0  # in a row
    last_check_at: datetime | None = None
    last_outcome: str | None = None
    last_conclusive_at: datetime | None = None  # the last "not found"
    failed_at: datetime | None = None  # the first "transaction failed"
    unreadable: int = 0
    hint_at: datetime | None = None
    hints: int = 0
    viewed_at: datetime | None = None
    return_urls: ReturnURLs | None = None
    replaces: str | None = None  # the reference of the payment whose code expired, and for which this one was made
    link: str | None = None  # the reference of the link that it was made by


@frozen(kw_only=True)
class NewPayment:
    """What a caller asks for: a plan for a user, or an amount. An amount beside a plan must be the plan's price."""

    user_id: str | None = None
    plan: str | None = None
    amount: Money | None = None
    description: str | None = None
    metadata: dict[str, str] | None = None
    return_urls: ReturnURLs | None = None
    replaces: str | None = None
    link: str | None = None


class On(StrEnum):
    """What happens to a payment."""

    CREATE = "create"
    FOUND_OK = "found_ok"
    FOUND_MISMATCH = "found_mismatch"
    FOUND_AGAIN = "found_again"
    FOUND_UNREADABLE = "found_unreadable"
    NOT_FOUND = "not_found"
    FAILED_TX = "failed_tx"
    STATIC_QR = "static_qr"
    NO_ANSWER = "no_answer"
    DEADLINE = "deadline"
    WATCH_ENDED = "watch_ended"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"
    ACCEPT = "accept"
    CREDIT = "credit"
    RETURNED = "returned"
    NOT_OURS = "not_ours"
    REFUND = "refund"
    REFUND_PART = "refund_part"
    REVERSE = "reverse"


class Guard(StrEnum):
    """The condition of a row, in words. `domain.judgement` decides which one holds."""

    ALWAYS = ""
    IN_TIME = "sent by deadline + grace, and what it buys can still be had"
    LATE = "sent by deadline + late_accept, and what it buys can still be had"
    TOO_LATE = "sent later, or what it buys can't be had any more"
    FIRST = "the first time, or less than 30 s after it"
    AGAIN = "again, at least 30 s after the first time"
    BELOW_THREE = "the first or second time"
    THIRD = "the third time"
    WATCHING = "asked before watch_until"
    ENDED = "asked after watch_until"


@frozen
class Transition:
    """One row of the table. `to` is None if the status stays; `flag` is added; `event` is sent to the main backend.

    `receipt` is the disposition of the money that was seen, and `review` the kind of the review item that is opened;
    `mismatch` stands for the kind that the judgement names.
    """

    number: str
    sources: tuple[PaymentStatus, ...]
    on: On
    guard: Guard
    to: PaymentStatus | None = None
    event: str | None = None
    flag: Flag | None = None
    receipt: Disposition | None = None
    review: ReviewKind | Literal["mismatch"] | None = None


_PENDING, _PAID, _REVIEW = PaymentStatus.PENDING, PaymentStatus.PAID, PaymentStatus.REVIEW
_TIMEOUT, _FAILED, _CANCELLED = PaymentStatus.TIMEOUT, PaymentStatus.FAILED, PaymentStatus.CANCELLED
_EXPIRED, _REFUNDED = PaymentStatus.EXPIRED, PaymentStatus.REFUNDED
_OPEN = (_PENDING, _TIMEOUT, _FAILED)
UNPAID = (*_OPEN, _CANCELLED, _EXPIRED)
MONEY = (_PAID, _REVIEW, _REFUNDED)
_ALL = tuple(PaymentStatus)
WATCHED = frozenset({_PENDING, _TIMEOUT, _FAILED, _CANCELLED})
"""The statuses in which the service looks for money by itself."""
HINTABLE = WATCHED | {_EXPIRED}
"""The statuses in which a payment may still become paid. In the others a hint is worth a look too, but not often."""

_TOLD_PAID, _TOLD_REVIEW = "payment.paid", "payment.review_required"
_D = Disposition
_LATE, _UNVERIFIABLE = ReviewKind.LATE, ReviewKind.UNVERIFIABLE
_UNWANTED, _SECOND = (_D.OPEN, ReviewKind.PAID_AFTER_CANCEL), (_D.OPEN, ReviewKind.DUPLICATE_RECEIPT)

# fmt: off
TRANSITIONS = (
    Transition("M1", (), On.CREATE, Guard.ALWAYS, _PENDING, "payment.created"),
    Transition("M2", (*_OPEN, _EXPIRED), On.FOUND_OK, Guard.IN_TIME, _PAID, _TOLD_PAID, receipt=_D.APPLIED),
    Transition("M3", _OPEN, On.FOUND_OK, Guard.LATE, _PAID, _TOLD_PAID, Flag.LATE, _D.APPLIED),
    Transition("M4", (*_OPEN, _EXPIRED), On.FOUND_OK, Guard.TOO_LATE, _REVIEW, _TOLD_REVIEW, None, _D.OPEN, _LATE),
    Transition("M4", (_EXPIRED,), On.FOUND_OK, Guard.LATE, _REVIEW, _TOLD_REVIEW, None, _D.OPEN, _LATE),
    Transition("M5", (_CANCELLED,), On.FOUND_OK, Guard.ALWAYS, _REVIEW, _TOLD_REVIEW, None, *_UNWANTED),
    Transition("M6", UNPAID, On.FOUND_MISMATCH, Guard.ALWAYS, _REVIEW, _TOLD_REVIEW, None, _D.OPEN, "mismatch"),
    Transition("M7", UNPAID, On.FOUND_UNREADABLE, Guard.BELOW_THREE),
    Transition("M7", UNPAID, On.FOUND_UNREADABLE, Guard.THIRD, _REVIEW, _TOLD_REVIEW, review=ReviewKind.UNREADABLE),
    Transition("M8", (_PENDING,), On.FAILED_TX, Guard.FIRST),
    Transition("M8", (_PENDING,), On.FAILED_TX, Guard.AGAIN, _FAILED, "payment.failed"),
    Transition("M8", (_TIMEOUT, _FAILED, _CANCELLED, _EXPIRED), On.FAILED_TX, Guard.ALWAYS),
    Transition("M9", (_PENDING,), On.DEADLINE, Guard.ALWAYS, _TIMEOUT, "payment.timeout"),
    Transition("M10", UNPAID, On.NOT_FOUND, Guard.WATCHING),
    Transition("M10", (_TIMEOUT,), On.NOT_FOUND, Guard.ENDED, _EXPIRED, "payment.expired"),
    Transition("M10", (_FAILED, _CANCELLED, _EXPIRED), On.NOT_FOUND, Guard.ENDED),
    Transition("M11", UNPAID[1:-1], On.WATCH_ENDED, Guard.ALWAYS, flag=Flag.UNVERIFIABLE, review=_UNVERIFIABLE),
    Transition("M12", (_PENDING,), On.CANCEL, Guard.ALWAYS, _CANCELLED, "payment.cancelled"),
    Transition("M13", (_PENDING,), On.SUPERSEDE, Guard.ALWAYS, _CANCELLED, "payment.cancelled", Flag.SUPERSEDED),
    Transition("M14", _ALL, On.FOUND_AGAIN, Guard.ALWAYS),
    Transition("M15", MONEY, On.FOUND_OK, Guard.ALWAYS, None, _TOLD_REVIEW, Flag.DUPLICATE, *_SECOND),
    Transition("M15", MONEY, On.FOUND_MISMATCH, Guard.ALWAYS, None, _TOLD_REVIEW, Flag.DUPLICATE, *_SECOND),
    Transition("M16", MONEY, On.NOT_FOUND, Guard.ALWAYS),
    Transition("M16", MONEY, On.FAILED_TX, Guard.ALWAYS),
    Transition("M16", MONEY, On.FOUND_UNREADABLE, Guard.ALWAYS),
    Transition("M17", _ALL, On.NO_ANSWER, Guard.ALWAYS),
    Transition("M18", _ALL, On.STATIC_QR, Guard.ALWAYS),
    Transition("M19", (_REVIEW,), On.ACCEPT, Guard.ALWAYS, _PAID, _TOLD_PAID, receipt=_D.APPLIED),
    Transition("M20", (_REVIEW,), On.CREDIT, Guard.ALWAYS, _PAID, "payment.credited", Flag.CREDITED, _D.CREDITED),
    Transition("M20", (_PAID, _REFUNDED), On.CREDIT, Guard.ALWAYS, receipt=_D.CREDITED),
    Transition("M21", (_REVIEW,), On.RETURNED, Guard.ALWAYS, _REFUNDED, "payment.refunded", receipt=_D.REFUNDED),
    Transition("M21", (_PAID, _REFUNDED), On.RETURNED, Guard.ALWAYS, receipt=_D.REFUNDED),
    Transition("M22", (_REVIEW,), On.NOT_OURS, Guard.ALWAYS, _TIMEOUT, "payment.timeout", receipt=_D.REJECTED),
    Transition("M22", (*UNPAID[1:], _PAID, _REFUNDED), On.NOT_OURS, Guard.ALWAYS, receipt=_D.REJECTED),
    Transition("M23", (_PAID,), On.REFUND, Guard.ALWAYS, _REFUNDED, "payment.refunded", receipt=_D.REFUNDED),
    Transition("M24", (_REFUNDED,), On.REVERSE, Guard.ALWAYS, None, "payment.reversed", Flag.REVERSED),
    Transition("M25", (_PAID,), On.REFUND_PART, Guard.ALWAYS, None, "payment.partly_refunded", Flag.PARTLY_REFUNDED),
)
# fmt: on

_ROWS = {(source, row.on, row.guard): row for row in TRANSITIONS for source in row.sources}


def guards(status: PaymentStatus, on: On) -> tuple[Guard, ...]:
    """Return the conditions that the table has for a status and an event; none if the event is forbidden then."""
    return tuple(guard for source, trigger, guard in _ROWS if (source, trigger) == (status, on))


def find(payment: Payment, on: On, guard: Guard = Guard.ALWAYS) -> Transition:
    """Return the row for a payment and what happens to it. Raises `Conflict` if there is none, so it is forbidden."""
    row = _ROWS.get((payment.status, on, guard))
    if row is None:
        raise Conflict(
            f"payment_{payment.status.value}",
            f"payment {payment.reference} is {payment.status.value}: {on.value} isn't possible",
        )
    return row
