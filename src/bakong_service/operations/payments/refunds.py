"""How much of a payment's money was refunded, and how much is left to be refunded.

The ledger is the only record of it: what came with a receipt and went back outside is what was refunded.
"""

from decimal import Decimal
from typing import Any

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.domain import ledger as accounts
from bakong_service.domain.errors import Conflict, Invalid
from bakong_service.domain.ledger import AccountKind
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag, Payment, PaymentStatus
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.payments import receipts, reviews
from bakong_service.storage.payments.receipts import Receipt


@frozen(kw_only=True)
class Refundable:
    """The receipt of a paid payment that a refund sends back, with the sums before the refund."""

    receipt: Receipt
    refunded: Money  # what earlier refunds sent back
    left: Money

    def part(self, amount: Decimal | None) -> Money:
        """Return how much to send back: `amount`, or all that is left. Raises `Invalid` or `Conflict`."""
        if amount is None:
            return self.left
        currency = self.left.currency
        try:
            part = Money.of(amount, currency)
        except ValueError as error:
            raise _wrong_amount(str(error)) from error
        if part.minor <= 0:
            raise _wrong_amount("must be more than 0")
        if part.minor > self.left.minor:
            detail = f"{part} {currency} is more than the {self.left} {currency} that is left to be refunded"
            raise Conflict("refund_too_large", detail)
        return part

    def told(self, part: Money) -> dict[str, Any]:
        """Return what an event says of the refund of a part: its amount, and the sums after it."""
        return {
            "amount": str(part),
            "refunded": str(Money(self.refunded.minor + part.minor, part.currency)),
            "left": str(Money(self.left.minor - part.minor, part.currency)),
            "currency": part.currency,
        }


_OF_STATUS = {PaymentStatus.PAID: ("applied", "credited"), PaymentStatus.REFUNDED: ("refunded",)}
"""The dispositions of the money that settled a payment, by the payment's status."""


@frozen(kw_only=True)
class SettledReceipt:
    """The receipt of a paid or refunded payment, and what of its money was sent back and is left.

    Both sums are None for money that isn't whole minor units of a known currency, because the ledger doesn't have it.
    """

    receipt: Receipt
    refunded: Money | None = None
    kept: Money | None = None


def settled_receipt(connection: Connection, payment: Payment) -> SettledReceipt | None:
    """Return the receipt that a paid or refunded payment shows its payer; None if no money was seen for it."""
    shown = _OF_STATUS[payment.status]
    receipt = next((each for each in receipts.of_payment(connection, payment.id) if each.disposition in shown), None)
    if receipt is None or receipt.money is None:
        return None if receipt is None else SettledReceipt(receipt=receipt)
    refunded, kept = _sent_back_and_left(connection, receipt, receipt.money)
    return SettledReceipt(receipt=receipt, refunded=refunded, kept=kept)


def refundable(connection: Connection, payment: Payment) -> Refundable | None:
    """Return what can be refunded of a payment; None if it isn't paid, or is refunded to the end."""
    receipt = _bought(connection, payment) if payment.status is PaymentStatus.PAID else None
    if receipt is None or receipt.money is None:
        return None
    refunded, left = _sent_back_and_left(connection, receipt, receipt.money)
    return Refundable(receipt=receipt, refunded=refunded, left=left)


def _sent_back_and_left(connection: Connection, receipt: Receipt, money: Money) -> tuple[Money, Money]:
    """Return how much of the money that came with a receipt was sent back so far, and how much wasn't."""
    origin = accounts.receipt_origin(receipt.id)
    outside = [each for each in ledger.of_origins(connection, [origin]) if each.account.kind is AccountKind.OUTSIDE]
    left = -sum(each.money.minor for each in outside)  # what came from outside, less what went back
    return Money(money.minor - left, money.currency), Money(left, money.currency)


def _bought(connection: Connection, payment: Payment) -> Receipt | None:
    """Return the receipt whose money bought what the payment was for, or became credit instead."""
    seen = receipts.of_payment(connection, payment.id)
    if Flag.CREDITED not in payment.flags:
        return next((receipt for receipt in seen if receipt.disposition == "applied"), None)
    decided = sorted(
        (item.resolved_at, item.receipt_id)
        for item in reviews.of_payment(connection, payment.id)
        if item.action == "credit" and item.resolved_at is not None
    )
    return next(receipt for receipt in seen if receipt.id == decided[0][1])


def _wrong_amount(message: str) -> Invalid:
    return Invalid.at("/amount", "invalid_amount", message)
