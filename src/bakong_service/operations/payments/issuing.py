"""Makes a payment: its KHQR, its row, its history and its first event. It makes no call to Bakong.

M1, M12 and M13 are rows of the table of transitions in `domain/payment.py`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from attrs import fields_dict

from bakong_khqr import KHQR, InvalidKHQR, verify
from bakong_service import resources
from bakong_service.domain.errors import Fault, Invalid
from bakong_service.domain.event import NewEvent
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag, NewPayment, On, Payment, PaymentStatus, Purpose, find
from bakong_service.domain.plan import Plan
from bakong_service.domain.watching import Mode, next_look
from bakong_service.operations.business import Business
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments.transition import carry_out
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import history
from bakong_service.storage.engine.together import together
from bakong_service.storage.history import Change
from bakong_service.storage.payments import payments
from bakong_service.storage.subscriptions import subscriptions

KHQR_INVALID = "khqr_invalid"
"""The code of the error if no KHQR can be made."""

# The two fields of a KHQR that a request may have, each with its place in the body, as a JSON pointer. The service sets
# all other fields itself.
_PUBLIC_FIELDS = {"amount": "/amount", "currency": "/currency"}
_HANDED_ON = fields_dict(NewPayment).keys() - {"user_id", "plan", "amount"}
"""The members of the caller's request that the payment keeps as they are, such as the description and the metadata."""


def issue(
    work: UnitOfWork,
    *,
    user_id: str | None,
    purpose: Purpose,
    plan: Plan | None,
    amount: Money,
    subscription_id: int | None = None,
    quote: dict[str, Any] | None = None,
    credit_reserved: int = 0,
    request: NewPayment | None = None,
) -> Payment:
    """Make a payment of `amount` (M1).

    Unless the payment is a one-off, it supersedes the user's open payment for the same purpose (M13). `quote`
    says what an upgrade costs and why, and is stored with the payment. `credit_reserved` is the credit, in minor units,
    that the amount was reduced by: it is set aside. `request` is what the caller wrote about the payment; None if the
    service makes it by itself, as for a renewal.

    Raises `Invalid` with the field and the rule if no KHQR can be made.
    """
    number = work.number()
    reference, bill_number = work.reference("pay"), work.business.identifiers.bill_number(number)
    khqr = _khqr(work.business, amount, bill_number, work.now)
    if user_id is not None and purpose is not Purpose.ONE_OFF:
        cancel_open(work, user_id=user_id, purposes=[purpose], reason="superseded", flag=Flag.SUPERSEDED)
    policy = work.business.payments
    payment = Payment(
        id=number,
        reference=reference,
        bill_number=bill_number,
        md5=khqr.md5,
        qr=work.business.vault.seal(khqr.payload, f"payments.qr_enc.{reference}"),
        user_id=user_id,
        purpose=purpose,
        plan=None if plan is None else plan.code,
        plan_version=None if plan is None else plan.version,
        subscription_id=subscription_id,
        subscription=None if subscription_id is None else _reference_of(work, subscription_id),
        quote=quote,
        amount=amount,
        credit_reserved=credit_reserved,
        to_account=work.business.shop.bakong_account_id,
        status=PaymentStatus.PENDING,
        flags=frozenset(),
        version=1,
        created_at=work.now,
        qr_expires_at=work.now + policy.qr_life,
        deadline_at=work.now + policy.deadline,
        watch_until=work.now + policy.watch_for,
        **{name: getattr(request or NewPayment(), name) for name in _HANDED_ON},
    )
    # The present mode isn't known here. When the look is due, the watcher asks Bakong only if its mode allows it.
    payment = payments.looking(payment, next_look(payment, Mode.BULK, now=work.now))
    with together(work.connection):
        payments.add(work.connection, payment)
        _record(work, payment)
    credit.set_aside(work, payment)
    return payment


def _record(work: UnitOfWork, payment: Payment) -> None:
    """Write that the payment was made: to its history, to the audit log and as its first event."""
    change = Change(
        version=1,
        old_status=None,
        new_status=PaymentStatus.PENDING,
        reason="created",
        actor=work.actor,
        event_type="payment.created",
        at=work.now,
    )
    history.write_payment(work.connection, payment.id, change)
    amount = payment.amount
    details = {"purpose": payment.purpose.value, "amount": str(amount), "currency": amount.currency}
    work.audit("payment.created", payment.reference, details=details)
    data = resources.plain(resources.Payment.of(payment))
    event = NewEvent(type="payment.created", subject=payment.reference, previous_status=None, data=data)
    work.append(event, first=True)


def cancel_open(
    work: UnitOfWork,
    *,
    user_id: str,
    purposes: Iterable[Purpose],
    reason: str,
    flag: Literal[Flag.SUPERSEDED] | None,
) -> list[Payment]:
    """Cancel a user's open payments for these purposes: with the flag `superseded` (M13), or without a flag (M12).

    Return the payments as they are now. The watcher goes on looking for their money.
    """
    on = On.SUPERSEDE if flag is Flag.SUPERSEDED else On.CANCEL
    return [
        carry_out(work, payment, find(payment, on), reason=reason)
        for payment in payments.lock_pending_of(work.connection, user_id, purposes)
    ]


def _reference_of(work: UnitOfWork, subscription_id: int) -> str | None:
    subscription = subscriptions.by_id(work.connection, subscription_id)
    return None if subscription is None else subscription.reference


def _khqr(business: Business, amount: Money, bill_number: str, now: datetime) -> KHQR:
    shop = business.shop
    fields: dict[str, Any] = {
        "bakong_account_id": shop.bakong_account_id,
        "merchant_name": shop.merchant_name,
        "merchant_city": shop.merchant_city,
        "merchant_name_alternate_language": shop.merchant_name_km,
        "language_preference": None if shop.merchant_name_km is None else "km",
        "currency": amount.currency,
        "amount": amount.decimal,
        "bill_number": bill_number,
        "created_at": now,
        "expires_at": now + business.payments.qr_life,
    }
    try:
        if shop.merchant_id is not None:
            khqr = KHQR.merchant(merchant_id=shop.merchant_id, acquiring_bank=shop.acquiring_bank or "", **fields)
        else:
            khqr = KHQR.individual(acquiring_bank=shop.acquiring_bank, **fields)
    except InvalidKHQR as error:
        fault = Fault(_PUBLIC_FIELDS.get(error.field or "", ""), f"khqr_{error.code.value}", str(error))
        raise Invalid(KHQR_INVALID, f"no KHQR can be made of this payment: {error}", (fault,)) from error
    # Our own verifier reads what will be shown, before anybody can pay it.
    if problems := verify(khqr.payload, now=now).problems:
        raise Invalid(KHQR_INVALID, f"the KHQR doesn't pass verification: {problems[0]}")
    return khqr
