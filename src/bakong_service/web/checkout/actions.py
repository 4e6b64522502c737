"""What a payer does on the page: say "I have paid", open a bank app, save the card, make a new code."""

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bakong_service.domain.errors import Refused
from bakong_service.domain.new_code import is_payable
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.payments.renewing_codes import make_new_code
from bakong_service.web.checkout import page, tokens
from bakong_service.web.http.auth import act
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.service import of
from bakong_service.web.payments import cards, deeplinks
from bakong_service.web.payments.payments import find, payload

_SEE_OTHER = 303


async def check(request: Request) -> Response:
    """Take the payer's hint, and go back to the page."""
    payment = await find(request)
    await act(request, lambda work: operations.hint(work, payment.reference))
    return _to(request, request.path_params["token"])


async def deeplink(request: Request) -> Response:
    """Answer with the link to a bank app, for a page with JavaScript."""
    return await deeplinks.read(request)


async def open_app(request: Request) -> Response:
    """Go on to the bank app; back to the page while Bakong makes no link, because its code can still be paid."""
    try:
        link = await deeplinks.link_of(request, await find(request))
    except (Problem, Refused):
        return _to(request, request.path_params["token"])
    return RedirectResponse(link, _SEE_OTHER)


async def card(request: Request) -> Response:
    """Give the card as a file to keep, as long as its code can be paid."""
    service, payment = of(request), await find(request)
    if not is_payable(payment, service.clock.now()):
        raise Problem(status=404, code="no_such_route", detail="this code can't be paid any more")
    picture = await asyncio.to_thread(cards.png, payload(service, payment))
    headers = {
        "Content-Disposition": f'attachment; filename="KHQR-{payment.bill_number}.png"',
        "Cache-Control": "private, no-store",
    }
    return Response(picture, media_type="image/png", headers=headers)


async def new_code(request: Request) -> Response:
    """Make a new code, and go to its page."""
    service, payment = of(request), await find(request)
    try:
        newer = await act(request, lambda work: make_new_code(work, payment.reference))
    except Refused:
        return page.message(request, "refused", 409)
    return _to(request, tokens.token_of(service, newer))


def _to(request: Request, token: str) -> Response:
    chosen = request.query_params.get("lang")
    return RedirectResponse(f"/pay/{token}" + (f"?lang={chosen}" if chosen in ("en", "km") else ""), _SEE_OTHER)
