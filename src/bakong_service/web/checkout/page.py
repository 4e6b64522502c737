"""The page of a payment: what it shows in each state, and the pages that say why there is nothing to show."""

import asyncio
from decimal import Decimal
from functools import cache
from typing import Any

from attrs import frozen
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from bakong_khqr import images
from bakong_service.domain.money import Money, written
from bakong_service.domain.new_code import is_payable
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.operations.payments import refunds
from bakong_service.operations.payments.refunds import SettledReceipt
from bakong_service.storage.payments import payments
from bakong_service.storage.payments.receipts import Receipt
from bakong_service.web.checkout import tokens, writing
from bakong_service.web.checkout.assets import assets_of
from bakong_service.web.checkout.states import FINAL, SETTLED, State, mark_of, state_of
from bakong_service.web.checkout.words import ENGLISH, KHMER, STATES, WORDS, language_of
from bakong_service.web.http.service import Service, of
from bakong_service.web.payments.payments import find, payload

_QUIET = 4  # modules, as the standard wants
_SETTLED = (PaymentStatus.PAID, PaymentStatus.REFUNDED)
_POLICY = (
    "default-src 'none'; style-src {style}; script-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "private, no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}


@frozen(kw_only=True)
class ShownPayment:
    """What the database says of a payment whose page is shown."""

    payment: Payment
    receipt: Receipt | None = None
    refunded: str | None = None  # how much of the receipt's money was sent back; None if nothing was
    kept: str | None = None  # and how much is left of it; None if nothing is
    newer: Payment | None = None


async def read(request: Request) -> Response:
    """Show the page of a payment."""
    service = of(request)
    shown = await _with_receipt(service, await find(request))
    payment, now, language = shown.payment, service.clock.now(), language_of(request)
    is_away = await service.reach.is_away(service.executor, now)
    state = state_of(payment, now, is_away=is_away)
    if state not in SETTLED and state is not State.REVIEW and shown.newer is not None:
        state = State.REPLACED
    symbol = await asyncio.to_thread(_symbol, service, payment) if is_payable(payment, now) else None
    title, do, dont = STATES[language][state]
    return render(
        request,
        "pay.html",
        title=title,
        do=do,
        dont=dont,
        state=state.value,
        mark=mark_of(payment, now, is_away=is_away),
        is_final=state in FINAL,
        symbol=symbol,
        here=f"/pay/{request.path_params['token']}",
        amount=_amount(shown),
        currency=payment.amount.currency,
        what=payment.description,
        number=payment.bill_number,
        expires_at=writing.clock(payment.qr_expires_at),
        expires_at_ms=int(payment.qr_expires_at.timestamp() * 1000),
        now_ms=int(now.timestamp() * 1000),
        receipt=_receipt(service, shown) if state in SETTLED or shown.receipt is not None else None,
        may_hint=state in _HINTED and payment.status is not PaymentStatus.EXPIRED,
        may_renew=state is State.EXPIRED,
        newer=None if shown.newer is None else f"/pay/{tokens.token_of(service, shown.newer)}",
        back=payment.return_urls.back(is_paid=state in SETTLED) if payment.return_urls is not None else None,
    )


_HINTED = (State.WAITING, State.FAILED, State.UNREACHABLE, State.EXPIRED, State.ASK_SHOP, State.CLOSING)


def message(request: Request, name: str, status: int) -> Response:
    """Show a page that says why there is nothing to show: `gone`, `busy` or `refused`."""
    words = WORDS[language_of(request)]
    texts = {"title": words[f"{name}_title"], "do": words[name], "dont": words[f"{name}_dont"]}
    return render(request, "message.html", status=status, **texts)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page with what every page has: its language, the shop, and the addresses of its files."""
    language, shop, assets = language_of(request), of(request).business.shop, assets_of(request)
    # The page carries its style: on a slow phone, a file of its own would delay the first paint by a round trip.
    style = assets["checkout.css"]
    names = [shop.merchant_name, shop.merchant_name_km]
    html = (
        _environment()
        .get_template(template)
        .render(
            language=language,
            other=ENGLISH if language == KHMER else KHMER,
            words=WORDS[language],
            shop=(shop.merchant_name_km if language == KHMER else None) or shop.merchant_name,
            shop_names=[name for name in names if name],
            assets={name: asset.address for name, asset in assets.items()},
            style=Markup(style.content.decode()),  # noqa: S704 - our own file
            **values,
        )
    )
    policy = _POLICY.format(style=style.csp_source)
    headers = {**_HEADERS, "Content-Security-Policy": policy, "Content-Language": language}
    return Response(html, status, headers, media_type="text/html")


async def _with_receipt(service: Service, payment: Payment) -> ShownPayment:
    """Return the payment with its receipt, or with the payment that replaces it. A new payment has neither."""
    if payment.version == 1:
        return ShownPayment(payment=payment)
    if payment.status in _SETTLED:
        return _settled(payment, await service.executor.read(lambda c: refunds.settled_receipt(c, payment)))
    newer = await service.executor.read(lambda connection: payments.by_replaced(connection, payment.reference))
    return ShownPayment(payment=payment, newer=newer)


def _settled(payment: Payment, seen: SettledReceipt | None) -> ShownPayment:
    """Return a payment for which money came, with its receipt and with what was sent back of it."""
    if seen is None:
        return ShownPayment(payment=payment)
    if seen.refunded is None:
        is_back = payment.status is PaymentStatus.REFUNDED  # the ledger doesn't have it: all of it was sent back
        return ShownPayment(payment=payment, receipt=seen.receipt, refunded=_came(seen.receipt) if is_back else None)
    return ShownPayment(payment=payment, receipt=seen.receipt, refunded=_some(seen.refunded), kept=_some(seen.kept))


def _amount(shown: ShownPayment) -> str:
    """Return what was paid if it is known, else what is asked for. They differ if the shop accepted another amount."""
    money = shown.payment.amount
    return writing.amount(money.decimal, money.currency) if shown.receipt is None else _came(shown.receipt)


def _came(receipt: Receipt) -> str:
    """Return the money of a receipt as people write it: `$ 2.50`, or `2.50 EUR` in a currency that KHQR lacks."""
    money = receipt.money
    if money is None:
        return f"{written(Decimal(receipt.amount), receipt.currency)} {receipt.currency}"
    return writing.amount(money.decimal, money.currency)


def _some(money: Money | None) -> str | None:
    return writing.amount(money.decimal, money.currency) if money is not None and money.minor else None


def _receipt(service: Service, shown: ShownPayment) -> dict[str, str | None]:
    payment, receipt = shown.payment, shown.receipt
    payer = None
    if receipt is not None and receipt.from_account is not None:
        place = f"receipts.from_account_enc.{receipt.tx_hash}"
        payer = writing.masked(service.business.vault.open(receipt.from_account, place))
    time = None if payment.paid_at is None else writing.moment(payment.paid_at)
    return {"payer": payer, "time": time, "refunded": shown.refunded, "kept": shown.kept}


def _symbol(service: Service, payment: Payment) -> Markup:
    """Return the QR symbol as SVG. It is drawn from our own payload, so it needs no escaping.

    The quiet zone is part of the drawing and stands out of its frame: browsers that force darkness on pages leave the
    drawing alone, and darken the card around it.
    """
    drawing = images.svg(payload(service, payment), scale=1, border=_QUIET)
    side = int(drawing.partition('viewBox="0 0 ')[2].partition(" ")[0])
    framed = f'viewBox="{_QUIET} {_QUIET} {side - 2 * _QUIET} {side - 2 * _QUIET}"'
    return Markup(drawing.replace(f'viewBox="0 0 {side} {side}"', framed))  # noqa: S704


@cache
def _environment() -> Environment:
    loader = PackageLoader("bakong_service.web", "templates/checkout")
    return Environment(
        loader=loader, autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
