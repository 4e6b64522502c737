"""Making a payment: its KHQR, its row and what is told of it. Bakong isn't asked: payload and MD5 are made here."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bakong_khqr import KHQR, InvalidKHQR, verify
from bakong_service.domain.errors import Fault, Invalid
from bakong_service.domain.event import NewEvent
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag, On, Payment, PaymentStatus, Purpose, find
from bakong_service.domain.plan import Plan
from bakong_service.domain.watching import Mode, next_look
from bakong_service.operations import credit, presenting
from bakong_service.operations.business import Business
from bakong_service.operations.transition import carry_out
from bakong_service.storage import audit, history, outbox, payments, subscriptions

KHQR_INVALID = "khqr_invalid"
_PUBLIC_FIELDS = {"amount": "/amount", "currency": "/currency"}


def issue(
    connection: Connection,
    business: Business,
    *,
    user_id: str | None,
    purpose: Purpose,
    plan: Plan | None,
    amount: Money,
    subscription_id: int | None = None,
    quote: dict[str, Any] | None = None,
    credit_reserved: int = 0,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
    actor: str,
    now: datetime,
) -> Payment:
    """Make a payment of `amount` (M1). But for one-offs, the user's open one for the same purpose is superseded (M13).

    Raises `Invalid` where no KHQR can be made of it, naming the field and the rule.
    """
    number = business.identifiers.number(now)
    reference, bill_number = business.identifiers.reference("pay"), business.identifiers.bill_number(number)
    khqr = _khqr(business, amount, bill_number, now)
    if user_id is not None and purpose is not Purpose.ONE_OFF:
        cancel_open(
            connection,
            business,
            user_id=user_id,
            purposes=[purpose],
            reason="superseded",
            flag=Flag.SUPERSEDED,
            actor=actor,
            now=now,
        )
    policy = business.payments
    payment = Payment(
        id=number,
        reference=reference,
        bill_number=bill_number,
        md5=khqr.md5,
        qr=business.vault.seal(khqr.payload, f"payments.qr_enc.{reference}"),
        user_id=user_id,
        purpose=purpose,
        plan=None if plan is None else plan.code,
        plan_version=None if plan is None else plan.version,
        subscription_id=subscription_id,
        subscription=None if subscription_id is None else _reference_of(connection, subscription_id),
        quote=quote,
        description=description,
        metadata=metadata,
        amount=amount,
        credit_reserved=credit_reserved,
        to_account=business.shop.bakong_account_id,
        status=PaymentStatus.PENDING,
        flags=frozenset(),
        version=1,
        created_at=now,
        qr_expires_at=now + policy.qr_life,
        deadline_at=now + policy.deadline,
        watch_until=now + policy.watch_for,
    )
    payment = payments.looking(payment, next_look(payment, Mode.BULK, now=now))
    payments.add(connection, payment)
    credit.reserve(connection, business, payment, now=now)
    history.write_payment(
        connection,
        number,
        version=1,
        old=None,
        new=PaymentStatus.PENDING,
        reason="created",
        actor=actor,
        event_type="payment.created",
        now=now,
    )
    details = {"purpose": purpose.value, "amount": str(amount), "currency": amount.currency}
    audit.write(
        connection,
        business.identifiers,
        action="payment.created",
        actor=actor,
        subject=reference,
        details=details,
        now=now,
    )
    event = NewEvent(type="payment.created", subject=reference, previous_status=None, data=presenting.payment(payment))
    outbox.append(connection, business.identifiers, event, first=True, now=now)
    return payment


def cancel_open(
    connection: Connection,
    business: Business,
    *,
    user_id: str,
    purposes: Iterable[Purpose],
    reason: str,
    flag: Flag | None,
    actor: str,
    now: datetime,
) -> list[Payment]:
    """Cancel a user's open payments for these purposes: M13 with the flag `superseded`, else M12. They stay watched."""
    on = On.SUPERSEDE if flag is Flag.SUPERSEDED else On.CANCEL
    return [
        carry_out(connection, business, payment, find(payment, on), reason=reason, actor=actor, now=now)
        for payment in payments.lock_pending_of(connection, user_id, purposes)
    ]


def _reference_of(connection: Connection, subscription_id: int) -> str | None:
    subscription = subscriptions.by_id(connection, subscription_id)
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
