"""A signed notice from outside that a payment may be paid: a hint, and never a proof. Bakong is asked all the same."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bakong_service.domain.errors import NotFound
from bakong_service.domain.payment import Payment
from bakong_service.operations import payments as operations
from bakong_service.operations.business import Business
from bakong_service.storage import audit, idempotency, payments
from bakong_service.storage.idempotency import Claim

REMEMBERED_FOR = timedelta(minutes=10)  # twice the age that a signature may have, in both directions


def receive(
    connection: Connection, business: Business, notice_id: str, *, reference: str | None, md5: str | None, now: datetime
) -> Payment | None:
    """Hint at the payment that a notice names; None where the notice came before. Raises `NotFound`."""
    claim = Claim("notify", "bakong", notice_id)
    if not idempotency.claim(connection, claim, fingerprint="", expires_at=now + REMEMBERED_FOR, now=now):
        return None
    if reference is not None:
        payment = payments.by_reference(connection, reference)
    else:
        payment = None if md5 is None else payments.by_md5(connection, md5)
    if payment is None:
        raise NotFound("payment_not_found", "the notice names no payment of ours")
    audit.write(
        connection,
        business.identifiers,
        action="notice.received",
        actor="notice",
        subject=payment.reference,
        details={"notice": notice_id, "status": payment.status.value},
        now=now,
    )
    return operations.hint(connection, business, payment.reference, now=now)
