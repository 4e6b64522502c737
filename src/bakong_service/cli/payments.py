"""`payments`: what an operator does with payments."""

import getpass
from datetime import datetime
from typing import Any

from cyclopts import App

from bakong_service.cli import opening, output
from bakong_service.cli.output import AsJson
from bakong_service.domain.errors import NotFound
from bakong_service.domain.payment import PaymentStatus
from bakong_service.operations import payments as operations
from bakong_service.operations import presenting, reviews
from bakong_service.storage import history, payments, receipts
from bakong_service.web.payment_records import change, receipt
from bakong_service.web.service import Service

app = App(name="payments", help="Look at payments, hint, cancel, record refunds.")

_COLUMNS = ("reference", "status", "amount", "currency", "user_id", "plan", "created_at")


@app.command
def show(reference: str, *, json: AsJson = False) -> None:
    """Show a payment with its history and the money that was seen.

    Parameters
    ----------
    reference
        A reference (pay_...), an MD5 or a bill number.
    """

    async def found(service: Service) -> dict[str, Any]:
        def query(connection: Any) -> dict[str, Any]:
            payment = (
                payments.by_reference(connection, reference)
                or payments.by_md5(connection, reference)
                or payments.by_bill_number(connection, reference)
            )
            if payment is None:
                raise NotFound("payment_not_found", f"there is no payment {reference}")
            return presenting.payment(payment) | {
                "history": [change(row) for row in history.of_payment(connection, payment.id)],
                "receipts": [receipt(row) for row in receipts.of_payment(connection, payment.id)],
            }

        return await service.executor.read(query)

    payment = opening.run(found)
    if json:
        output.one(payment, as_json=True)
        return
    changes, sightings = payment.pop("history"), payment.pop("receipts")
    output.one(payment, as_json=False)
    output.many(changes, ("version", "old_status", "new_status", "reason", "actor", "at"), as_json=False)
    if sightings:
        columns = ("transaction_hash", "amount", "currency", "to_account", "sent_at", "disposition")
        output.many(sightings, columns, as_json=False)


@app.command(name="list")
def list_(
    *,
    status: PaymentStatus | None = None,
    user_id: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    json: AsJson = False,
) -> None:
    """List payments, newest first.

    Parameters
    ----------
    since
        Those made from this moment on (ISO 8601; without an offset it is this machine's time).
    limit
        At most so many.
    """

    async def found(service: Service) -> list[dict[str, Any]]:
        rows = await service.executor.read(
            lambda connection: payments.page(
                connection,
                limit=limit,
                status=status,
                user_id=user_id,
                created_from=None if since is None else since.astimezone(),
            ),
            many=True,
        )
        return [presenting.payment(row) for row in rows]

    output.many(opening.run(found), _COLUMNS, as_json=json)


@app.command
def check(reference: str, *, json: AsJson = False) -> None:
    """Have the running service look at a payment soon. Prints when it will, and why."""
    _act(
        lambda connection, service: operations.hint(connection, service.business, reference, now=service.clock.now()),
        json=json,
    )


@app.command
def cancel(reference: str, *, reason: str, operator: str | None = None, json: AsJson = False) -> None:
    """Cancel a payment that is open. Money that comes all the same is found and put to review.

    Parameters
    ----------
    operator
        Your name, for the history; the name you are logged in with, unless given.
    """
    _act(
        lambda connection, service: operations.cancel(
            connection,
            service.business,
            reference,
            reason=reason,
            actor=actor_of(operator),
            now=service.clock.now(),
        ),
        json=json,
    )


@app.command
def refund(
    reference: str, *, refund_reference: str, reverse: bool = False, operator: str | None = None, json: AsJson = False
) -> None:
    """Record that a paid payment was sent back outside: the Open API can't do it.

    Parameters
    ----------
    refund_reference
        The transfer that sent the money back.
    reverse
        Take back what the payment bought.
    operator
        Your name, for the history; the name you are logged in with, unless given.
    """
    _act(
        lambda connection, service: reviews.record_refund(
            connection,
            service.business,
            reference,
            refund_reference=refund_reference,
            reverse=reverse,
            operator=actor_of(operator),
            now=service.clock.now(),
        ),
        json=json,
    )


def actor_of(operator: str | None) -> str:
    """An operator, as histories and the audit name them."""
    return f"operator:{operator or getpass.getuser()}"


def _act(operation: Any, *, json: bool) -> None:
    async def done(service: Service) -> dict[str, Any]:
        return presenting.payment(await service.executor.run(lambda connection: operation(connection, service)))

    output.one(opening.run(done), as_json=json)
