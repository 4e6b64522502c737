"""The page of a payment link: what is sold, and a button that makes a payment for this visitor.

A cookie for this link alone keeps the client token of the visitor's payment. So a second press of the button leads to
the same payment, and a visitor who comes again within a day isn't counted again.
"""

from decimal import Decimal
from urllib.parse import parse_qs

import limits as rates
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.money import Currency, write_amount
from bakong_service.domain.errors import Refused
from bakong_service.domain.link import Link, LinkOver, LinkState, Uses, WrongAmount, state_of
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.operations.links import reading, selling
from bakong_service.storage import links
from bakong_service.storage.payments import payments
from bakong_service.storage.subscriptions import plans
from bakong_service.web.checkout import page, preview, tokens, writing
from bakong_service.web.checkout.words import WORDS, language_of
from bakong_service.web.http import bodies, limits
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.service import Service, of

PAYMENTS_BY_ADDRESS = rates.parse("20/10 minutes")
_COOKIE = "open_payment"  # holds a client token, or `_SEEN` for a visitor who has made no payment yet
_SEEN = "seen"
_COOKIE_SECONDS = 24 * 3600
_SEE_OTHER = 303  # the browser goes on with GET, so reloading the page doesn't repeat the POST


async def read(request: Request) -> Response:
    """Show what is sold. A browser that has no cookie of this link is counted as a new visitor; HEAD counts nobody."""
    await limits.spend_without_key(request)
    service, code = of(request), request.path_params["code"]
    link, uses = await _found(service, code)
    if code != link.code:  # typed in capitals: the cookie below holds for one spelling alone
        return RedirectResponse(f"/l/{link.code}", status_code=_SEE_OTHER)
    is_new = _COOKIE not in request.cookies and request.method == "GET"
    if is_new:
        await service.executor.run(lambda connection: links.count_opening(connection, link.id))
    response = await _page(request, link, uses)
    if is_new:
        _remember(request, response, _SEEN)
    return response


async def pay(request: Request) -> Response:
    """Make a payment, and redirect to its page.

    If this visitor has a pending payment of this link already, redirect to that payment. A wrong amount shows the page
    again. If the link sells nothing now, or the payment is refused, a message says so.
    """
    await limits.spend_without_key(request)
    service, code = of(request), request.path_params["code"]
    link, uses = await _found(service, code)
    present = await _open_payment(request, link)
    if present is not None:
        return _to(request, present)
    text = _written(await bodies.raw(request))
    try:
        entered = _entered(link, text)
        await _limit(request)  # after `_entered`, so a text that isn't an amount isn't counted
        address = request.scope["client_ip"]
        made = await service.run("payer", lambda work: selling.pay(work, link.code, entered=entered), ip=address)
    except WrongAmount:
        return await _page(request, link, uses, wrong=text)
    except (Refused, LinkOver):
        return page.message(request, "refused", 409)
    return _to(request, made)


async def picture(request: Request) -> Response:
    """Draw the picture that a chat shows as a preview of the link.

    It has the shop's name and the price. It has no payment code, because everybody in the chat could pay that code.
    """
    await limits.spend_without_key(request)
    service = of(request)
    link, _ = await _found(service, request.path_params["code"])
    shop = service.business.shop
    drawn = preview.draw(shop.merchant_name, await _price(service, link), service.settings.shop_colour)
    return Response(drawn, media_type="image/png", headers={"Cache-Control": "public, max-age=3600"})


async def _page(request: Request, link: Link, uses: Uses, *, wrong: str | None = None) -> Response:
    """Render the page of the link.

    `wrong` is the amount that the visitor entered, if it is wrong. The page shows it again, so that the visitor can
    correct it, and the status is 422.
    """
    service = of(request)
    words = WORDS[language_of(request)]
    state = state_of(link, uses, service.clock.now())
    public = service.settings.public_url or ""
    return page.render(
        request,
        "link.html",
        status=200 if wrong is None else 422,
        title=link.description or words["pay"],
        is_open=state is LinkState.OPEN,
        wrong=wrong,
        price=await _price(service, link),
        currency=None if link.least is None else link.least.currency,
        least=None if link.least is None else writing.amount(link.least.decimal, link.least.currency),
        most=None if link.most is None else writing.amount(link.most.decimal, link.most.currency),
        action=f"/l/{link.code}",
        url=f"{public}/l/{link.code}",
    )


async def _price(service: Service, link: Link) -> str | None:
    """Return the price as people write it. For a plan it is the newest price. None if the payer chooses the amount."""
    money, code = link.amount, link.plan
    if code is not None:
        plan = await service.executor.read(lambda connection: plans.latest(connection, code))
        money = None if plan is None else plan.price
    return None if money is None else writing.amount(money.decimal, money.currency)


async def _found(service: Service, code: str) -> tuple[Link, Uses]:
    """Return the link whose address has this code, with its uses. Raises `NotFound`."""
    return await service.executor.read(lambda connection: reading.visited(connection, code))


async def _open_payment(request: Request, link: Link) -> Payment | None:
    """Return the payment whose token is in the cookie; None unless it is a pending payment of this link."""
    service = of(request)
    reference = tokens.reference_of(service, request.cookies.get(_COOKIE, ""))
    if reference is None:
        return None
    payment = await service.executor.read(lambda connection: payments.by_reference(connection, reference))
    is_mine = payment is not None and payment.link == link.reference and payment.status is PaymentStatus.PENDING
    return payment if is_mine else None


async def _limit(request: Request) -> None:
    """Count a payment for the visitor's IP address. Raises a 429 `Problem` if the address has made too many."""
    allowance = await of(request).limiter.take(PAYMENTS_BY_ADDRESS, "link-payments", limits.origin(request))
    if not allowance.granted:
        headers = {"Retry-After": str(allowance.reset_seconds)}
        detail = f"an address may make {PAYMENTS_BY_ADDRESS} by links"
        raise Problem(status=429, code="rate_limited", detail=detail, headers=headers)


def _written(body: bytes) -> str:
    """Return the text of the field `amount` in the body of an HTML form."""
    return parse_qs(body.decode("utf-8", "replace")).get("amount", [""])[0].strip()


def _entered(link: Link, text: str) -> Money | None:
    """Return the amount that the visitor wrote; None if the link has a price, so that the payer enters nothing.

    Raises `WrongAmount` if the text isn't an amount. `selling.pay` checks that it is within the link's bounds.
    """
    if link.least is None:
        return None
    currency = link.least.currency
    try:
        written = write_amount(text.replace(",", ""), Currency(currency))
    except InvalidKHQR as error:
        raise WrongAmount(str(error)) from error
    if written is None:
        raise WrongAmount("must be more than 0")
    return Money.of(Decimal(written), currency)


def _to(request: Request, payment: Payment) -> Response:
    """Redirect to the page of a payment, in the language that the visitor chose, and remember the payment."""
    token = tokens.token_of(of(request), payment)
    chosen = request.query_params.get("lang")
    response = RedirectResponse(f"/pay/{token}" + (f"?lang={chosen}" if chosen in WORDS else ""), _SEE_OTHER)
    _remember(request, response, token)
    return response


def _remember(request: Request, response: Response, value: str) -> None:
    """Store `value` in the browser's cookie: a client token, or `_SEEN`. The browser sends it only to this link."""
    public = of(request).settings.public_url
    response.set_cookie(
        _COOKIE,
        value,
        max_age=_COOKIE_SECONDS,
        path=f"/l/{request.path_params['code']}",
        secure=public is not None and public.startswith("https://"),
        httponly=True,
        samesite="lax",
    )
