"""A payment as the outside is shown it, in events and answers alike. The QR isn't in it: that one is kept sealed."""

from datetime import UTC, datetime
from typing import Any

from bakong_service.domain.payment import Flag, Payment


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds: `"2026-11-01T12:00:00.000Z"`."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def payment(payment: Payment) -> dict[str, Any]:
    """The public shape of a payment: amounts as text in major units, moments as `moment` writes them."""
    return {
        "object": "payment",
        "reference": payment.reference,
        "status": payment.status.value,
        "flags": sorted(payment.flags),
        "user_id": payment.user_id,
        "purpose": payment.purpose.value,
        "plan": payment.plan,
        "amount": str(payment.amount),
        "currency": payment.amount.currency,
        "description": payment.description,
        "metadata": payment.metadata or {},
        "md5": payment.md5,
        "bill_number": payment.bill_number,
        "created_at": moment(payment.created_at),
        "qr_expires_at": moment(payment.qr_expires_at),
        "deadline_at": moment(payment.deadline_at),
        "paid_at": moment(payment.paid_at),
        "late": Flag.LATE in payment.flags,
        "subscription": payment.subscription,
        "next_check_at": moment(payment.next_check_at),
        "next_check_reason": payment.next_check_reason,
        "version": payment.version,
    }
