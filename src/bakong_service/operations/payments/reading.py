"""What an operator reads about a payment: the payment, where its money is, its history and its receipts."""

from datetime import datetime

from attrs import frozen
from sqlalchemy import Connection

from bakong_service.domain.errors import NotFound
from bakong_service.domain.payment import Payment
from bakong_service.operations.payments import whereabouts
from bakong_service.resources import Value
from bakong_service.storage import history
from bakong_service.storage.history import Change
from bakong_service.storage.payments import payments, receipts
from bakong_service.storage.payments.receipts import Receipt


@frozen(kw_only=True)
class Record:
    """A payment with everything that is known about it."""

    payment: Payment
    value: Value
    history: list[Change]
    receipts: list[Receipt]


def record(connection: Connection, name: str, *, now: datetime) -> Record:
    """Return what is known about the payment with this reference, MD5 or bill number. Raises `NotFound`."""
    payment = (
        payments.by_reference(connection, name)
        or payments.by_md5(connection, name)
        or payments.by_bill_number(connection, name)
    )
    if payment is None:
        raise NotFound("payment_not_found", f"there is no payment {name[:64]}")
    return Record(
        payment=payment,
        value=whereabouts.of_payment(connection, payment, now=now),
        history=history.of_payment(connection, payment.id),
        receipts=receipts.of_payment(connection, payment.id),
    )
