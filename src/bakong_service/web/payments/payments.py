"""Payments over HTTP: make one, look at it, fetch its picture, ask for a look, cancel it."""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from attrs import asdict, evolve, frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_khqr import images
from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.money import Currency, write_amount
from bakong_service import resources
from bakong_service.domain.errors import Fault, Invalid, NotFound
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag, NewPayment, Payment, PaymentStatus
from bakong_service.domain.return_urls import ReturnURLs
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.payments import whereabouts
from bakong_service.operations.payments.issuing import KHQR_INVALID
from bakong_service.resources import PaymentForPayer, PaymentLinks, PaymentWithQR, PaymentWithValue, Value
from bakong_service.storage.payments import payments
from bakong_service.web.checkout import tokens
from bakong_service.web.http import answers, bodies, entity_tags, limits, paging
from bakong_service.web.http.auth import act, caller
from bakong_service.web.http.idempotency import Success, idempotent
from bakong_service.web.http.problems import Problem, invalid
from bakong_service.web.http.service import Service, of
from bakong_service.web.payments import cards

UserId = Annotated[str, Meta(min_length=1, max_length=64)]
_METADATA_BYTES = 12_000  # so that an event with all of it stays under 20 kB
Word = Annotated[str, Meta(max_length=500)]

_LONGEST_WAIT = 25  # seconds: below what proxies cut off
_DIGITS = re.compile(r"[0-9]+(\.[0-9]+)?")
_CURRENCIES = frozenset(each.value for each in Currency)


@frozen(kw_only=True)
class NewPaymentBody:
    """`{"user_id", "plan"}` buys a plan; `{"amount": "2.50", "currency": "USD"}` is a payment of its own."""

    user_id: UserId | None = None
    plan: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    amount: Annotated[str, Meta(max_length=32)] | None = None
    currency: Annotated[str, Meta(max_length=3)] | None = None
    description: Annotated[str, Meta(max_length=500)] | None = None
    metadata: dict[Annotated[str, Meta(max_length=40)], Word] | None = None
    return_url: Annotated[str, Meta(max_length=500)] | None = None
    success_url: Annotated[str, Meta(max_length=500)] | None = None
    cancel_url: Annotated[str, Meta(max_length=500)] | None = None

    @staticmethod
    def faults(given: Mapping[str, Any], now: datetime) -> list[Fault]:
        """Return what is wrong with members that are right each by itself."""
        del now
        faults = money_faults(given)
        if given["plan"] is None:
            faults += [
                Fault(f"/{name}", "required", "must be given, unless `plan` is")
                for name in ("amount", "currency")
                if given[name] is None
            ]
        elif given["user_id"] is None:
            faults.append(Fault("/user_id", "required", "must be given with `plan`: whose subscription is it"))
        if given["amount"] is not None and given["currency"] is None and given["plan"] is not None:
            faults.append(Fault("/currency", "required", "must be given with `amount`"))
        metadata = given["metadata"]
        if metadata is not None and len(metadata) > 20:
            faults.append(Fault("/metadata", "too_many", "at most 20 members"))
        if metadata is not None and len(resources.encode(metadata)) > _METADATA_BYTES:
            faults.append(Fault("/metadata", "too_large", f"at most {_METADATA_BYTES} bytes of JSON"))
        return faults

    def asked(self) -> NewPayment:
        """As the operation takes it."""
        return NewPayment(
            user_id=self.user_id,
            plan=self.plan,
            amount=money(self.amount, self.currency),
            description=self.description,
            metadata=self.metadata,
            return_urls=ReturnURLs(
                return_url=self.return_url, success_url=self.success_url, cancel_url=self.cancel_url
            ),
        )


def money_faults(given: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with `amount` and `currency`. Half of the pair is for the caller to judge."""
    faults: list[Fault] = []
    try:
        money(given["amount"], given["currency"])
    except Problem as problem:
        faults += problem.faults
    # The currency decides how many decimals an amount has: without a good one, only its digits can be judged.
    is_judged = given["amount"] is None or given["currency"] in _CURRENCIES
    if not is_judged and not _DIGITS.fullmatch(given["amount"]):
        faults.append(Fault("/amount", "invalid_amount", "must be an amount such as 2.50"))
    return faults


def money(amount: str | None, currency: str | None) -> Money | None:
    """An amount in major units as text, `"2.50"`, with its currency. Raises a 422 `Problem`; None without an amount."""
    if currency is not None and currency not in _CURRENCIES:
        raise invalid(Fault("/currency", "unsupported_currency", f"{currency} isn't one of {', '.join(Currency)}"))
    if amount is None or currency is None:
        return None
    try:
        written = write_amount(amount, Currency(currency))
    except InvalidKHQR as error:
        raise invalid(Fault("/amount", "invalid_amount", str(error))) from error
    if written is None:
        raise invalid(Fault("/amount", "invalid_amount", "must be more than 0"))
    return Money.of(Decimal(written), currency)


async def create(request: Request) -> Response:
    """Make a payment; 201 with its QR."""
    service = of(request)
    asked = (await bodies.parse(request, NewPaymentBody)).asked()
    try:
        return await idempotent(request, lambda work: Success(201, with_qr(service, operations.create(work, asked))))
    except Invalid as error:
        if error.code == KHQR_INVALID:
            # The transaction that would have made the payment is rolled back: that it failed is written in another.
            await act(request, partial(operations.record_refusal, refused=error))
        raise


@frozen(kw_only=True)
class PaymentFilters:
    """Payments of a user, a status, a plan, an amount or a flag, made or paid within a time; or the one with an MD5 or
    a bill number. `description` is how the description begins: it needs a user or a time beside it."""

    user_id: UserId | None = None
    status: PaymentStatus | None = None
    created_from: Annotated[datetime, Meta(tz=True)] | None = None
    created_until: Annotated[datetime, Meta(tz=True)] | None = None  # exclusive
    md5: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    bill_number: Annotated[str, Meta(max_length=25)] | None = None
    plan: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    amount: Annotated[str, Meta(max_length=32)] | None = None
    currency: Currency | None = None
    paid_from: Annotated[datetime, Meta(tz=True)] | None = None
    paid_until: Annotated[datetime, Meta(tz=True)] | None = None  # exclusive
    flag: Flag | None = None
    description: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    metadata: dict[Annotated[str, Meta(max_length=40)], Word] | None = None

    def wanted(self) -> dict[str, Any]:
        """Return the filters as the storage takes them. Raises a 422 `Problem`."""
        bounds = (self.user_id, self.created_from, self.paid_from)
        if self.description is not None and all(bound is None for bound in bounds):
            rule = "needs user_id, created_from or paid_from beside it"
            raise invalid(Fault("?description", "needs_a_bound", rule))
        filters = asdict(self)
        if self.amount is None:
            return filters
        if self.currency is None:
            raise invalid(Fault("?currency", "required", "must be given with amount"))
        try:
            amount = money(self.amount, self.currency.value)
        except Problem as problem:
            raise invalid(*(evolve(each, pointer=f"?{each.pointer[1:]}") for each in problem.faults)) from problem
        return filters | {"amount": amount, "currency": None}


async def index(request: Request) -> Response:
    """Payments, newest first. The QR isn't in a list."""
    query = partial(payments.page, **bodies.query(request, PaymentFilters).wanted())
    return await paging.listed(request, query, position=lambda payment: payment.id, shape=resources.Payment.of)


@frozen(kw_only=True)
class PaymentWait:
    """For how many seconds to wait for news."""

    wait: Annotated[int, Meta(ge=0, le=_LONGEST_WAIT)] = 0


async def read(request: Request) -> Response:
    """One payment, from the database alone.

    `?wait=25` waits so many seconds for news: with `If-None-Match` until the version is another one, else until it
    isn't pending any more. 304 where the version is still the caller's.
    """
    service = of(request)
    seconds, known = bodies.query(request, PaymentWait).wait, entity_tags.known(request)
    payment = await find(request)
    if seconds:
        await limits.enter_stream(request)
        payment = await service.changes.until(
            payment.reference,
            lambda: find(request),
            lambda seen: not known.has(etag(seen)) if known else seen.status is not PaymentStatus.PENDING,
            seconds=seconds,
            stopping=service.stopping,
        )
    headers = {"ETag": etag(payment)}
    if known.has(headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if caller(request).is_payer:
        return answers.json(PaymentForPayer.of(payment), headers=headers)
    if payment.version == 1:  # nothing has happened to it yet
        return answers.encoded(service.polled.of(payment, partial(_untouched, service)), headers=headers)
    value = await service.executor.read(
        lambda connection: whereabouts.of_payment(connection, payment, now=service.clock.now())
    )
    return answers.json(_with_value(service, payment, value), headers=headers)


def _untouched(service: Service, payment: Payment) -> bytes:
    """The answer about a payment that no money has come for."""
    return resources.encode(_with_value(service, payment, whereabouts.of_nothing(payment)))


def _with_value(service: Service, payment: Payment, value: Value) -> PaymentWithValue:
    return PaymentWithValue.of(payment, **_with_qr(service, payment), value=value)


def etag(payment: Payment) -> str:
    """A payment's version as an entity tag; weak, for `next_check_at` and `value` change within one."""
    return f'W/"{payment.version}"'


async def picture_png(request: Request) -> Response:
    """The QR as a PNG."""
    return await _picture(request, images.png, "image/png")


async def picture_svg(request: Request) -> Response:
    """The QR as an SVG."""
    return await _picture(request, images.svg, "image/svg+xml")


async def _picture(request: Request, draw: Callable[[str], bytes | str], media_type: str) -> Response:
    """A picture takes some milliseconds to draw. A thread draws it, and other requests go on meanwhile."""
    text = payload(of(request), await find(request))
    return Response(await asyncio.to_thread(draw, text), media_type=media_type)


async def card_png(request: Request) -> Response:
    """The KHQR card as a PNG, for a gallery or a printer."""
    return await _picture(request, cards.png, "image/png")


async def card_svg(request: Request) -> Response:
    """The KHQR card as an SVG."""
    return await _picture(request, cards.svg, "image/svg+xml")


async def find(request: Request) -> Payment:
    """The payment that the path names. Raises `NotFound`."""
    reference = request.path_params["reference"]
    payment = await of(request).executor.read(lambda connection: payments.by_reference(connection, reference))
    if payment is None:
        raise NotFound("payment_not_found", f"there is no payment {reference[:64]}")
    return payment


def payload(service: Service, payment: Payment) -> str:
    """The text within the QR."""
    return service.business.vault.open(payment.qr, f"payments.qr_enc.{payment.reference}")


def with_qr(service: Service, payment: Payment) -> PaymentWithQR:
    """Return a payment with its QR and where to go from here."""
    return PaymentWithQR.of(payment, **_with_qr(service, payment))


def _with_qr(service: Service, payment: Payment) -> dict[str, Any]:
    token = tokens.token_of(service, payment)
    return {
        "qr": payload(service, payment),
        "client_token": token,
        "checkout_url": tokens.checkout_url(service, token),
        "links": PaymentLinks.to(payment.reference),
        **(payment.return_urls or ReturnURLs()).to_dict(),
    }
