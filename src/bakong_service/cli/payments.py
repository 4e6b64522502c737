"""`payments`: what an operator does with payments."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from cyclopts import App

from bakong_service import resources
from bakong_service.cli import opening, output
from bakong_service.cli.options import AsJson, Limit, Operator, When
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.operations.payments import reading, reviews, whereabouts
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import Value
from bakong_service.storage.payments import payments
from bakong_service.web.http.service import Service

app = App(name="payments", help="Show, check and cancel payments, and record refunds.")

_PLACES = ("served", "periods", "credit", "set_aside", "review", "returned", "lost")
_COLUMNS = ("reference", "status", "amount", "currency", "user_id", "plan", "created_at")
_TABLES = {
    "history": ("version", "old_status", "new_status", "reason", "actor", "at"),
    "receipts": ("transaction_hash", "amount", "currency", "to_account", "sent_at", "disposition"),
}


@app.command
def show(reference: str, *, json: AsJson = False) -> None:
    """Show a payment with its history and its receipts.

    Parameters
    ----------
    reference
        A reference (pay_...), an MD5 or a bill number.
    """

    async def found(service: Service) -> reading.Record:
        now = service.clock.now()
        return await service.executor.read(lambda connection: reading.record(connection, reference, now=now))

    record = opening.run(found)
    shown = {
        **resources.plain(resources.Payment.of(record.payment)),
        **_money(record.value, json=json),
        "history": [resources.Change.of(row) for row in record.history],
        "receipts": [resources.Receipt.of(row) for row in record.receipts],
    }
    output.one(shown, as_json=json, tables=_TABLES)


def _money(value: Value, *, json: bool) -> dict[str, Any]:
    """Return where the money is, as JSON has it; for people, also what was refunded so far and what still can be."""
    if json:
        return {"value": value}
    money = (value, *value.others)
    came = [each for each in money if Decimal(each.received)]
    refunded, refundable = (
        ", ".join(f"{getattr(each, name)} {each.currency.value}" for each in came) or None
        for name in ("returned", "refundable")
    )
    return {"refunded": refunded, "refundable": refundable, "value": _in_words(value)}


def _in_words(value: Value) -> str:
    """Return where the money is, in one line: `0.50 USD: 0.31 served, 0.19 credit`."""
    lines = []
    for each in (value, *value.others):
        amounts = {name: getattr(each, name) for name in _PLACES}
        places = [f"{amount} {name.replace('_', ' ')}" for name, amount in amounts.items() if Decimal(amount)]
        if places:
            left = [f"of which {each.refundable} can be refunded"] if Decimal(each.refundable) else []
            lines.append(f"{each.received} {each.currency.value}: {', '.join((*places, *left))}")
    return "; ".join(lines) or "no money came"


@app.command(name="list")
def list_(
    *,
    status: PaymentStatus | None = None,
    user_id: str | None = None,
    since: When | None = None,
    limit: Limit = 50,
    json: AsJson = False,
) -> None:
    """List payments, newest first.

    Parameters
    ----------
    since
        Show payments that were made from this moment on (ISO 8601; without an offset, in this machine's time).
    """

    begin = None if since is None else since.astimezone()
    query = partial(payments.page, limit=limit, status=status, user_id=user_id, created_from=begin)
    output.many([resources.Payment.of(row) for row in opening.read(query)], _COLUMNS, as_json=json)


@app.command
def check(reference: str, *, operator: Operator = None, json: AsJson = False) -> None:
    """Have the running service look at a payment soon, in any status. Prints when it will look, and why.

    An operator's look is never refused, and isn't counted as a hint.
    """
    _act(operator, lambda work: operations.check(work, reference), json=json)


@app.command
def cancel(reference: str, *, reason: str, operator: Operator = None, json: AsJson = False) -> None:
    """Cancel an open payment. If money comes later, it is found and put into the review queue."""
    _act(operator, lambda work: operations.cancel(work, reference, reason=reason), json=json)


@app.command
def refund(
    reference: str,
    *,
    refund_reference: str,
    amount: Decimal | None = None,
    reverse: bool = False,
    operator: Operator = None,
    json: AsJson = False,
) -> None:
    """Record that you sent back money of a paid payment, because the Open API can't send money.

    Prints the payment, how much of its money was sent back so far, and how much is left.

    Parameters
    ----------
    refund_reference
        The reference of the transfer that sent the money back.
    amount
        How much you sent back, such as 2.50, in the currency that came. Without it, all that is left.
    reverse
        Take back what the money bought, too.
    """

    def operation(work: UnitOfWork) -> dict[str, Any]:
        payment = reviews.record_refund(
            work, reference, refund_reference=refund_reference, reverse=reverse, amount=amount
        )
        value = whereabouts.of_payment(work.connection, payment, now=work.now)
        shown: dict[str, Any] = resources.plain(resources.Payment.of(payment))
        return shown | _money(value, json=json)

    output.one(opening.act(operator, operation), as_json=json)


def _act(operator: str | None, operation: Callable[[UnitOfWork], Payment], *, json: bool) -> None:
    output.one(opening.act(operator, lambda work: resources.Payment.of(operation(work))), as_json=json)
