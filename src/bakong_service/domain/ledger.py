"""The ledger's accounts: the places where money can be. The arithmetic of what moves is in `domain/value.py`.

An entry moves whole minor units of one currency from one account to another, so nothing can appear or vanish between
them. Each unit carries its origin: the receipt that it came with, or the gift by which the shop gave it.
"""

from enum import StrEnum

from attrs import frozen


class AccountKind(StrEnum):
    """What an account holds."""

    OUTSIDE = "outside"  # the payer's side: money comes from here and goes back here
    PERIOD = "period"  # paid for a period and not served yet
    SERVED = "served"  # used up by service; money of a one-off payment goes here at once
    REVIEW = "review"  # money that a person has to decide about
    CREDIT = "credit"  # what a user may spend
    SET_ASIDE = "set_aside"  # credit that an open payment was reduced by
    LOST = "lost"  # what ended without service
    GIFT = "gift"  # the shop's side of what it gave away


ENDLESS = frozenset({AccountKind.OUTSIDE, AccountKind.GIFT})
"""Accounts that may have a negative balance: the value that the payers, or the shop, have put into the ledger."""


@frozen
class Account:
    """One account: its kind and its holder. `holder` is empty if the kind has only one account."""

    kind: AccountKind
    holder: str = ""


OUTSIDE = Account(AccountKind.OUTSIDE)
SERVED = Account(AccountKind.SERVED)
LOST = Account(AccountKind.LOST)
GIFT = Account(AccountKind.GIFT)


def period(period_id: int) -> Account:
    """Return the account of one paid period."""
    return Account(AccountKind.PERIOD, str(period_id))


def review(receipt_id: int) -> Account:
    """Return the account of a receipt that waits for the decision of an operator."""
    return Account(AccountKind.REVIEW, str(receipt_id))


def credit(user_id: str) -> Account:
    """Return the account of a user's credit. It has one balance in each currency."""
    return Account(AccountKind.CREDIT, user_id)


def set_aside(payment: str) -> Account:
    """Return the account of the credit that the payment with this reference was reduced by."""
    return Account(AccountKind.SET_ASIDE, payment)


_RECEIPT, _GIFT = "receipt:", "gift:"


def receipt_origin(receipt_id: int) -> str:
    """Return the origin of money that came with a receipt."""
    return f"{_RECEIPT}{receipt_id}"


def gift_origin(reference: str) -> str:
    """Return the origin of a gift: with a refund (`pay_...`), or from an operator (`gift_...`)."""
    return f"{_GIFT}{reference}"


def is_gift(origin: str) -> bool:
    """Return whether the shop gave this value, and not a payer."""
    return origin.startswith(_GIFT)


def is_refund(origin: str) -> bool:
    """Return whether the shop gave this value by refunding a payment and leaving its service in place."""
    return origin.startswith(f"{_GIFT}pay_")


class Reason(StrEnum):
    """Why value moved."""

    SEEN = "seen"  # money was found, and a person has to decide about it
    PAID = "paid"  # a payment bought what it was made for
    OUTDATED = "outdated"  # what a payment was made for could not be had any more
    CREDITED = "credited"  # a person gave the money to the user as credit
    RETURNED = "returned"  # a person sent the money back
    NOT_OURS = "not_ours"  # a person said that the money belongs to somebody else
    SET_ASIDE = "set_aside"  # a payment was made that credit reduces
    GIVEN_BACK = "given_back"  # that payment closed unpaid
    SPENT = "spent"  # credit paid without a QR
    SERVED = "served"  # time went by
    PLAN_CHANGED = "plan_changed"  # the new plan needs another value for the time that is left
    CANCELLED = "cancelled"  # the subscription ended at once
    REFUNDED = "refunded"  # the money was sent back, and the service left in place
    REVERSED = "reversed"  # the money was sent back, and what it bought was taken back
    GRANTED = "granted"  # an operator gave credit
    REMOVED = "removed"  # an operator removed credit
