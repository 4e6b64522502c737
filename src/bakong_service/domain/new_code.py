"""When a payer may have a new code: only after the old one has expired, and after a look for its money."""

from datetime import datetime, timedelta

from bakong_service.domain.payment import Payment, PaymentStatus, Purpose

SHOWN_AFTER = timedelta(seconds=10)
"""How long Bakong may need to show a transfer that was sent at the last moment."""
_OVER = (PaymentStatus.TIMEOUT, PaymentStatus.FAILED, PaymentStatus.EXPIRED)


def is_payable(payment: Payment, now: datetime) -> bool:
    """Return whether the payment's code may still be paid."""
    return payment.status in (PaymentStatus.PENDING, PaymentStatus.FAILED) and now < payment.qr_expires_at


def may_have_new_code(payment: Payment, now: datetime) -> bool:
    """Return whether a new code may take the place of this payment's.

    While the payment is pending, Bakong must have answered "not found" after the code expired: otherwise somebody who
    paid at the last moment would be asked to pay twice. After the deadline nobody is kept waiting for that answer. An
    upgrade is never made anew, because its price depends on the moment.
    """
    if payment.purpose is Purpose.UPGRADE or now < payment.qr_expires_at:
        return False
    if payment.status is PaymentStatus.PENDING:
        looked_at = payment.last_conclusive_at
        return looked_at is not None and looked_at >= payment.qr_expires_at + SHOWN_AFTER
    return payment.status in _OVER
