"""What is on record of a payment: every change of it, and every sighting of money."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bakong_service.operations.presenting import moment
from bakong_service.storage import receipts
from bakong_service.storage.history import Change, of_payment
from bakong_service.storage.receipts import Receipt
from bakong_service.web import answers, bodies, paging
from bakong_service.web.payments import find
from bakong_service.web.service import of


async def history(request: Request) -> Response:
    """Every change with its reason and who made it, newest first."""
    page = paging.page_of(request)
    bodies.query(request, bodies.Nothing)
    payment = await find(request)
    rows = await of(request).executor.read(
        lambda connection: of_payment(
            connection, payment.id, before=page.starting_after, after=page.ending_before, limit=page.fetch
        ),
        many=True,
    )
    return paging.answer(request, page, rows, position=lambda change: change.version, shape=change)


async def sightings(request: Request) -> Response:
    """The money that was seen for it, oldest first. The payer's account isn't shown: it is kept encrypted."""
    payment = await find(request)
    rows = await of(request).executor.read(lambda connection: receipts.of_payment(connection, payment.id))
    return answers.json({"object": "list", "data": [receipt(row) for row in rows], "has_more": False})


def change(change: Change) -> dict[str, Any]:
    """One change, as HTTP shows it."""
    return {
        "object": "change",
        "version": change.version,
        "old_status": change.old_status,
        "new_status": change.new_status,
        "reason": change.reason,
        "actor": change.actor,
        "event_type": change.event_type,
        "metadata": change.metadata or {},
        "at": moment(change.at),
    }


def receipt(receipt: Receipt) -> dict[str, Any]:
    """One sighting of money, as HTTP shows it. `amount` is Bakong's own text in major units."""
    return {
        "object": "receipt",
        "transaction_hash": receipt.tx_hash,
        "amount": receipt.amount,
        "currency": receipt.currency,
        "to_account": receipt.to_account,
        "external_ref": receipt.external_ref,
        "sent_at": moment(receipt.sent_at),
        "acknowledged_at": moment(receipt.acknowledged_at),
        "seen_at": moment(receipt.seen_at),
        "disposition": receipt.disposition,
    }
