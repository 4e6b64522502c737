"""Payments over HTTP: make one, look at it, fetch its picture, ask for a look, cancel it."""

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from attrs import asdict, frozen
from msgspec import Meta
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bakong_khqr import images
from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.money import Currency, write_amount
from bakong_service.domain.errors import Fault, Invalid, NotFound
from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment, Payment, PaymentStatus
from bakong_service.operations import payments as operations
from bakong_service.operations import presenting
from bakong_service.operations.issuing import KHQR_INVALID
from bakong_service.storage import payments
from bakong_service.web import answers, bodies, paging
from bakong_service.web.auth import caller
from bakong_service.web.idempotency import Answer, idempotent
from bakong_service.web.problems import invalid
from bakong_service.web.service import Service, of

UserId = Annotated[str, Meta(min_length=1, max_length=64)]
_METADATA_BYTES = 12_000  # so that an event with all of it stays under 20 kB
Word = Annotated[str, Meta(max_length=500)]

_LONGEST_WAIT = 25  # seconds: below what proxies cut off


@frozen(kw_only=True)
class NewPaymentBody:
    """`{"user_id", "plan"}` buys a plan; `{"amount": "2.50", "currency": "USD"}` is a payment of its own."""

    user_id: UserId | None = None
    plan: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    amount: Annotated[str, Meta(max_length=32)] | None = None
    currency: Annotated[str, Meta(max_length=3)] | None = None
    description: Annotated[str, Meta(max_length=500)] | None = None
    metadata: dict[Annotated[str, Meta(max_length=40)], Word] | None = None

    def asked(self) -> NewPayment:
        """As the operation takes it. Raises a 422 `Problem`."""
        faults = []
        if self.plan is None:
            faults += [
                Fault(f"/{name}", "required", "must be given, unless `plan` is")
                for name in ("amount", "currency")
                if getattr(self, name) is None
            ]
        elif self.user_id is None:
            faults.append(Fault("/user_id", "required", "must be given with `plan`: whose subscription is it"))
        if self.amount is not None and self.currency is None and self.plan is not None:
            faults.append(Fault("/currency", "required", "must be given with `amount`"))
        if self.metadata is not None and len(self.metadata) > 20:
            faults.append(Fault("/metadata", "too_many", "at most 20 members"))
        if self.metadata is not None and len(answers.encode(self.metadata)) > _METADATA_BYTES:
            faults.append(Fault("/metadata", "too_large", f"at most {_METADATA_BYTES} bytes of JSON"))
        if faults:
            raise invalid(*faults)
        return NewPayment(
            user_id=self.user_id,
            plan=self.plan,
            amount=money(self.amount, self.currency),
            description=self.description,
            metadata=self.metadata,
        )


def money(amount: str | None, currency: str | None) -> Money | None:
    """An amount in major units as text, `"2.50"`, with its currency. Raises a 422 `Problem`; None without an amount."""
    if currency is not None and currency not in {each.value for each in Currency}:
        raise invalid(Fault("/currency", "unsupported_currency", f"{currency!r} isn't one of USD, KHR"))
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
    actor, now = caller(request).actor, service.clock.now()

    def operation(connection: Connection) -> Answer:
        payment = operations.create(connection, service.business, asked, actor=actor, now=now)
        return Answer(201, shown(service, payment))

    try:
        return await idempotent(request, operation, required=True)
    except Invalid as error:
        if error.code == KHQR_INVALID:
            await service.executor.run(partial(_on_record, service, error, actor, now))
        raise


def _on_record(service: Service, refused: Invalid, actor: str, now: datetime, connection: Connection) -> None:
    """The transaction that would have made the payment is rolled back: that it failed is written in another."""
    operations.record_refusal(connection, service.business, refused, actor=actor, now=now)


@frozen(kw_only=True)
class PaymentFilters:
    """Payments of a user, of a status, made within a time; or the one with an MD5 or a bill number."""

    user_id: UserId | None = None
    status: PaymentStatus | None = None
    created_from: Annotated[datetime, Meta(tz=True)] | None = None
    created_until: Annotated[datetime, Meta(tz=True)] | None = None  # exclusive
    md5: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    bill_number: Annotated[str, Meta(max_length=25)] | None = None


async def index(request: Request) -> Response:
    """Payments, newest first. The QR isn't in a list."""
    page = paging.page_of(request)
    wanted = bodies.query(request, PaymentFilters)
    rows = await of(request).executor.read(
        lambda connection: payments.page(
            connection, limit=page.fetch, before=page.starting_after, after=page.ending_before, **asdict(wanted)
        ),
        many=True,
    )
    return paging.answer(request, page, rows, position=lambda payment: payment.id, shape=presenting.payment)


async def read(request: Request) -> Response:
    """One payment, from the database alone.

    `?wait=25` waits so many seconds for news: with `If-None-Match` until the version is another one, else until it
    isn't pending any more. 304 where the version is still the caller's.
    """
    service = of(request)
    seconds, known = _wait(request), request.headers.get("if-none-match")
    payment = await find(request)
    if seconds:
        payment = await service.changes.until(
            payment.reference,
            lambda: find(request),
            lambda seen: etag(seen) != known if known else seen.status is not PaymentStatus.PENDING,
            seconds=seconds,
            stopping=service.stopping,
        )
    headers = {"ETag": etag(payment)}
    if known == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return answers.json(shown(service, payment), headers=headers)


def etag(payment: Payment) -> str:
    """A payment's version as an entity tag; weak, for `next_check_at` moves within one."""
    return f'W/"{payment.version}"'


def _wait(request: Request) -> int:
    text = request.query_params.get("wait", "0")
    if not (text.isascii() and text.isdigit() and int(text[:3]) <= _LONGEST_WAIT):
        raise invalid(Fault("?wait", "invalid_value", f"whole seconds from 0 to {_LONGEST_WAIT}"))
    return int(text)


async def picture_png(request: Request) -> Response:
    """The QR as a PNG."""
    return Response(images.png(payload(of(request), await find(request))), media_type="image/png")


async def picture_svg(request: Request) -> Response:
    """The QR as an SVG."""
    return Response(images.svg(payload(of(request), await find(request))), media_type="image/svg+xml")


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


def shown(service: Service, payment: Payment) -> dict[str, Any]:
    """A payment as HTTP shows it: with its QR and where to go from here."""
    here = f"/v1/payments/{payment.reference}"
    return presenting.payment(payment) | {
        "qr": payload(service, payment),
        "links": {
            "self": here,
            "qr_png": f"{here}/qr.png",
            "qr_svg": f"{here}/qr.svg",
            "deeplink": f"{here}/deeplink",
            "events": f"{here}/events",
            "check": f"{here}/check",
            "cancel": f"{here}/cancel",
            "history": f"{here}/history",
            "receipts": f"{here}/receipts",
        },
    }
