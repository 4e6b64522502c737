"""Receives a signed notice that a payment may be paid. The notice is a hint and no proof, so Bakong is asked anyway."""

from datetime import timedelta

from bakong_service.domain.errors import NotFound
from bakong_service.domain.payment import Payment
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import idempotency
from bakong_service.storage.idempotency import Claim
from bakong_service.storage.payments import payments

REMEMBERED_FOR = timedelta(minutes=10)  # a signature may be five minutes old, or five minutes early


def receive(work: UnitOfWork, notice_id: str, *, reference: str | None, md5: str | None) -> Payment | None:
    """Hint at the payment that a notice names. Return None if the notice came before. Raises `NotFound`."""
    claim = Claim("notify", "bakong", notice_id)
    if not idempotency.claim(
        work.connection, claim, fingerprint="", expires_at=work.now + REMEMBERED_FOR, now=work.now
    ):
        work.audit("notice.repeated", details={"notice": notice_id[:64]})
        return None
    if reference is not None:
        payment = payments.by_reference(work.connection, reference)
    else:
        payment = None if md5 is None else payments.by_md5(work.connection, md5)
    if payment is None:
        raise NotFound("payment_not_found", "the notice names no payment of ours")
    work.audit("notice.received", payment.reference, details={"notice": notice_id[:64], "status": payment.status.value})
    return operations.hint(work, payment.reference)
