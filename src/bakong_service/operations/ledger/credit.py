"""A user's credit. Payments set it aside, spend it and return it; an operator gives it and removes it.

Every function that changes credit needs the lock of `storage.subscriptions.lock_user`. The balance is a ledger account,
which can't be overdrawn.
"""

from sqlalchemy import Connection

from bakong_khqr.money import Currency
from bakong_service.domain import ledger as accounts
from bakong_service.domain.errors import Conflict, Invalid
from bakong_service.domain.ledger import GIFT, LOST, Reason
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.value import Charge, charge
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import GrantedCredit
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.ledger.entries import MoveCause
from bakong_service.storage.subscriptions import subscription_payments
from bakong_service.storage.subscriptions.subscriptions import lock_user


def balance(connection: Connection, user_id: str, currency: str) -> Money:
    """Return the credit that the user may spend. Credit that is set aside for an open payment isn't part of it."""
    return Money(ledger.balance(connection, accounts.credit(user_id), currency), currency)


def split(work: UnitOfWork, user_id: str, price: Money, *supersedes: Purpose, by_qr: bool = False) -> Charge:
    """Return how much of a price a QR asks for, and how much credit pays.

    The user's open payments for the purposes in `supersedes` will be superseded, so their credit counts as the user's.
    With `by_qr`, the credit leaves at least the smallest amount that a QR can ask for.
    """
    least = work.business.subscriptions.least_charge[price.currency]
    available = balance(work.connection, user_id, price.currency).minor + _set_aside_for(
        work, user_id, price.currency, supersedes
    )
    return charge(price, balance=min(available, price.minor - least) if by_qr else available, least=least)


def set_aside(work: UnitOfWork, payment: Payment) -> None:
    """Set aside the credit that a payment is reduced by, in the transaction that makes the payment."""
    if payment.credit_reserved:
        work.move(
            Money(payment.credit_reserved, payment.amount.currency),
            accounts.credit(owner(payment)),
            accounts.set_aside(payment.reference),
            MoveCause(Reason.SET_ASIDE, payment.reference),
        )


def give_back(work: UnitOfWork, payment: Payment) -> None:
    """Return to the user the credit that is still set aside for a payment. A second call moves nothing."""
    if payment.credit_reserved:
        work.move(
            _aside(work, payment),
            accounts.set_aside(payment.reference),
            accounts.credit(owner(payment)),
            MoveCause(Reason.GIVEN_BACK, payment.reference),
        )


def is_kept(work: UnitOfWork, payment: Payment, *supersedes: Purpose) -> bool:
    """Return whether the credit that reduced a payment still exists: set aside for it, or in the user's account.

    When the payment is applied, open payments for the purposes in `supersedes` return their credit first.
    """
    if not payment.credit_reserved:
        return True
    currency, user_id = payment.amount.currency, owner(payment)
    existing = _aside(work, payment).minor + balance(work.connection, user_id, currency).minor
    return existing + _set_aside_for(work, user_id, currency, supersedes) >= payment.credit_reserved


def grant(work: UnitOfWork, user_id: str, amount: Money, *, reason: str) -> GrantedCredit:
    """Give credit to a user, or remove credit if the amount is below zero. The audit log has the actor and the reason.

    Raises `Invalid` for an amount of zero or a blank reason, and `Conflict` (`credit_too_small`) for a removal of more
    than the user may spend.
    """
    if not amount.minor:
        raise Invalid.at("/amount", "amount_is_zero", "an amount above 0 gives credit, and one below 0 removes it")
    if not reason.strip():
        raise Invalid.at("/reason", "required", "give a reason: the audit log keeps it")
    lock_user(work.connection, user_id)
    has = balance(work.connection, user_id, amount.currency)
    if has.minor + amount.minor < 0:
        detail = f"{user_id} has {has} {has.currency} of credit; no more than that can be removed"
        raise Conflict("credit_too_small", detail)
    reference, account = work.reference("gift"), accounts.credit(user_id)
    if amount.minor > 0:
        origin = accounts.gift_origin(reference)
        work.move(amount, GIFT, account, MoveCause(Reason.GRANTED, reference), origin=origin)
    else:
        work.move(Money(-amount.minor, amount.currency), account, LOST, MoveCause(Reason.REMOVED, reference))
    work.audit(
        "credit.given" if amount.minor > 0 else "credit.removed",
        reference,
        details={"user_id": user_id, "amount": str(amount), "currency": amount.currency, "reason": reason},
    )
    after = balance(work.connection, user_id, amount.currency)
    return GrantedCredit(
        reference=reference,
        user_id=user_id,
        amount=str(amount),
        currency=Currency(amount.currency),
        balance=str(after),
    )


def owner(payment: Payment) -> str:
    """Return the user of a payment for a plan. The database refuses such a payment without a user."""
    if payment.user_id is None:
        raise ValueError(f"{payment.reference} has no user")
    return payment.user_id


def _aside(work: UnitOfWork, payment: Payment) -> Money:
    currency = payment.amount.currency
    return Money(ledger.balance(work.connection, accounts.set_aside(payment.reference), currency), currency)


def _set_aside_for(work: UnitOfWork, user_id: str, currency: str, purposes: tuple[Purpose, ...]) -> int:
    opened = (subscription_payments.open_of(work.connection, user_id, purpose) for purpose in purposes)
    return sum(each.credit_reserved for each in opened if each is not None and each.amount.currency == currency)
