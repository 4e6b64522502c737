"""Makes a new code for a payer whose code has expired.

A payment keeps the same QR for all its life. So a new code is a new payment, and its `replaces` names the old payment.
"""

from bakong_service.domain.errors import Conflict, NotFound
from bakong_service.domain.new_code import may_have_new_code
from bakong_service.domain.payment import NewPayment, On, Payment, PaymentStatus, find
from bakong_service.operations.payments import requests
from bakong_service.operations.payments.transition import carry_out
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.payments import payments


def make_new_code(work: UnitOfWork, reference: str) -> Payment:
    """Make a new payment for what the payment `reference` asks for, and return it.

    A second call for the same `reference` returns the payment that the first call made. If the old payment is still
    pending, it is superseded. The service goes on looking for money for the old code, so such money isn't lost.
    Raises `NotFound`, `Conflict` if the payment may not have a new code now, and what `requests.create` raises.
    """
    found = payments.by_reference(work.connection, reference)
    old = found and payments.lock(work.connection, found.id)  # of two calls at once, the second waits and finds `newer`
    if old is None:
        raise NotFound("payment_not_found", f"there is no payment {reference!r}")
    if (newer := payments.by_replaced(work.connection, reference)) is not None:
        return newer
    if not may_have_new_code(old, work.now):
        raise Conflict(f"payment_{old.status.value}", f"payment {reference} is {old.status.value}: no new code now")
    if old.status is PaymentStatus.PENDING:
        transition = find(old, On.SUPERSEDE)
        carry_out(work, old, transition, reason="replaced by a new code")
    asked = NewPayment(
        user_id=old.user_id,
        plan=old.plan,
        amount=old.amount if old.plan is None else None,  # a plan's amount is computed anew from its price
        description=old.description,
        metadata=old.metadata,
        return_urls=old.return_urls,
        replaces=reference,
        link=old.link,
    )
    return requests.create(work, asked)
