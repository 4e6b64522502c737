"""Money that a person has to decide about: why, and what becomes of it."""

from enum import StrEnum
from typing import Literal


class ReviewKind(StrEnum):
    """Why a person has to decide about money."""

    AMOUNT = "amount"
    CURRENCY = "currency"
    RECEIVER = "receiver"
    TIME = "time"  # nobody knows when the money was sent
    NOT_RECEIVED = "not_received"  # Bakong says that the money didn't arrive, or went back
    UNREADABLE = "unreadable"
    LATE = "late"
    PAID_AFTER_CANCEL = "paid_after_cancel"
    SUPERSEDED = "superseded"
    NO_LONGER_VALID = "no_longer_valid"  # what the payment was for can't be bought any more
    DUPLICATE_RECEIPT = "duplicate_receipt"
    USED_ELSEWHERE = "used_elsewhere"  # the transaction paid another payment
    UNVERIFIABLE = "unverifiable"  # Bakong never said whether the payment was paid


class Disposition(StrEnum):
    """The decision about a receipt."""

    APPLIED = "applied"  # it bought something
    OPEN = "open"  # it waits for a decision
    CREDITED = "credited"
    REFUNDED = "refunded"
    REJECTED = "rejected"  # it isn't for this shop


Decision = Literal["accept", "credit", "refunded", "not_ours"]
"""What an operator decides about a review item."""
