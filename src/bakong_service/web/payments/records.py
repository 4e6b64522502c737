"""What is on record of a payment: every change of it, and every sighting of money."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from bakong_service.resources import Change, Receipt
from bakong_service.storage.history import of_payment
from bakong_service.storage.payments import receipts
from bakong_service.web.http import bodies, paging
from bakong_service.web.payments.payments import find


async def history(request: Request) -> Response:
    """Every change with its reason and who made it, newest first."""
    bodies.query(request, bodies.Nothing)
    query = partial(of_payment, payment_id=(await find(request)).id)
    return await paging.listed(request, query, position=lambda change: change.version, shape=Change.of)


async def sightings(request: Request) -> Response:
    """The money that was seen for it, newest first. The payer's account isn't shown: it is kept encrypted."""
    bodies.query(request, bodies.Nothing)
    query = partial(receipts.page, payment_id=(await find(request)).id)
    return await paging.listed(request, query, position=lambda receipt: receipt.id, shape=Receipt.of)
