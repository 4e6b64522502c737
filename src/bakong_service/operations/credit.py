"""A user's credit: given, set aside for a payment, spent, given back. The balance is never negative.

Whoever takes holds `storage.subscriptions.lock_user`; giving needs no lock. The entries of a payment, in order:
`reserved` (at create), `given_back` (it closed unpaid), `reserved_again` (its money came all the same), `reversed` (it
was refunded, and what it bought taken back).
"""

from datetime import datetime

from sqlalchemy import Connection

from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.proration import Charge, charge
from bakong_service.operations.business import Business
from bakong_service.storage import credit_entries, subscription_payments

RESERVED, GIVEN_BACK, RESERVED_AGAIN, REVERSED = "reserved", "given_back", "reserved_again", "reversed"
SPENT, PAYMENT_CREDITED, REFUNDED = "spent", "payment_credited", "refunded"


def grant(
    connection: Connection, business: Business, *, user_id: str, amount: Money, reason: str, source: str, now: datetime
) -> bool:
    """Give credit once for a (reason, source); False where it was given before. Takes an amount above zero."""
    if amount.minor <= 0:
        raise ValueError(f"credit of {amount} {amount.currency}: it is more than zero")
    return credit_entries.add(
        connection, business.identifiers, user_id=user_id, amount=amount, reason=reason, source=source, now=now
    )


def split(
    connection: Connection, business: Business, user_id: str, price: Money, *supersedes: Purpose, by_qr: bool = False
) -> Charge:
    """What of a price is charged and what credit pays. `by_qr`: so that at least the least that a QR can ask for is.

    What is set aside for the user's open payments for the purposes that will be superseded counts as theirs.
    """
    least = business.subscriptions.least_charge[price.currency]
    balance = credit_entries.balance(connection, user_id, price.currency)
    for purpose in supersedes:
        superseded = subscription_payments.open_of(connection, user_id, purpose)
        if superseded is not None and superseded.amount.currency == price.currency:
            balance += superseded.credit_reserved
    return charge(price, balance=min(balance, price.minor - least) if by_qr else balance, least=least)


def spend(
    connection: Connection, business: Business, user_id: str, amount: Money, *, source: str, now: datetime
) -> None:
    """Pay with credit alone. The caller has looked that there is enough."""
    if amount.minor:
        taken = Money(-amount.minor, amount.currency)
        credit_entries.add(
            connection, business.identifiers, user_id=user_id, amount=taken, reason=SPENT, source=source, now=now
        )


def reserve(connection: Connection, business: Business, payment: Payment, *, now: datetime) -> None:
    """Set aside what a payment was reduced by, in the transaction that makes it."""
    if payment.credit_reserved:
        _entry(connection, business, payment, -payment.credit_reserved, RESERVED, now)


def give_back(connection: Connection, business: Business, payment: Payment, *, now: datetime) -> None:
    """Give back what was set aside for a payment that closed unpaid. Done once, however often it is called."""
    if payment.credit_reserved:
        _entry(connection, business, payment, payment.credit_reserved, GIVEN_BACK, now)


def is_kept(connection: Connection, payment: Payment) -> bool:
    """Whether the credit that a payment was reduced by is still there for it."""
    return not _was_given_back(connection, payment) or _balance(connection, payment) >= payment.credit_reserved


def keep(connection: Connection, business: Business, payment: Payment, *, now: datetime) -> None:
    """The money came: what was set aside is spent. What was given back meanwhile is taken again, as far as it is there
    (what payments superseded by this one had set aside is there); an operator who accepts it waives the rest.
    """
    if _was_given_back(connection, payment):
        taken = min(payment.credit_reserved, _balance(connection, payment))
        _entry(connection, business, payment, -taken, RESERVED_AGAIN, now)


def spent_on(connection: Connection, payment: Payment) -> int:
    """What of the user's credit went into a payment, in minor units."""
    reasons = (RESERVED, GIVEN_BACK, RESERVED_AGAIN)
    return -credit_entries.total(connection, owner(payment), reasons, sources=payment.reference)


def reverse(connection: Connection, business: Business, payment: Payment, *, now: datetime) -> None:
    """What the payment bought is taken back: so is the user's the credit that was spent on it. Done once."""
    if spent := spent_on(connection, payment):
        _entry(connection, business, payment, spent, REVERSED, now)


def _was_given_back(connection: Connection, payment: Payment) -> bool:
    return bool(payment.credit_reserved) and (
        credit_entries.of(connection, reason=GIVEN_BACK, source=payment.reference) is not None
    )


def _balance(connection: Connection, payment: Payment) -> int:
    return credit_entries.balance(connection, owner(payment), payment.amount.currency)


def _entry(
    connection: Connection, business: Business, payment: Payment, minor: int, reason: str, now: datetime
) -> None:
    credit_entries.add(
        connection,
        business.identifiers,
        user_id=owner(payment),
        amount=Money(minor, payment.amount.currency),
        reason=reason,
        source=payment.reference,
        now=now,
    )


def owner(payment: Payment) -> str:
    """The user of a payment for a plan; the database has no such payment without one."""
    if payment.user_id is None:
        raise ValueError(f"{payment.reference} belongs to no user")
    return payment.user_id
