"""A payment: what it is, and (below) how it changes."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import frozen

from bakong_service.domain.money import Money


class PaymentStatus(StrEnum):
    """What the business may assume. Money is a fact of its own: see receipts."""

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
    """What is to be known beside the status."""

    LATE = "late"
    DUPLICATE = "duplicate"
    UNVERIFIABLE = "unverifiable"
    SUPERSEDED = "superseded"


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
    paid_at: datetime | None
    next_check_at: datetime | None
    next_check_reason: str | None
    last_check_at: datetime | None
    last_outcome: str | None
    last_conclusive_at: datetime | None
    failed_at: datetime | None
    unreadable: int
    checks: int
    no_answers: int
    hint_at: datetime | None
    viewed_at: datetime | None


@frozen(kw_only=True)
class NewPayment:
    """What a caller asks for: a plan for a user, or an amount. A plan's price wins: an amount beside it must equal it."""

    user_id: str | None = None
    plan: str | None = None
    amount: Money | None = None
    description: str | None = None
    metadata: dict[str, str] | None = None
