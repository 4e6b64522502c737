"""What a caller asks of payments that exist: look soon, tell many at once, cancel."""

from typing import Annotated

from attrs import frozen
from msgspec import Meta
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.operations import payments as operations
from bakong_service.operations import presenting
from bakong_service.storage import payments
from bakong_service.web import answers, bodies
from bakong_service.web.auth import caller
from bakong_service.web.idempotency import Answer, idempotent
from bakong_service.web.payments import find, shown
from bakong_service.web.service import of


@frozen(kw_only=True)
class CancelBody:
    """Why, for the history."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)] = "cancelled by the caller"


@frozen(kw_only=True)
class ChecksBody:
    """MD5s of payments, 1 to 50."""

    md5s: Annotated[list[Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]], Meta(min_length=1, max_length=50)]


async def check(request: Request) -> Response:
    """The payer says "I have paid": look soon. 202 with the payment as it stands and when it is looked at."""
    await bodies.parse(request, bodies.Nothing)
    service, reference = of(request), (await find(request)).reference
    now = service.clock.now()
    payment = await service.executor.run(
        lambda connection: operations.hint(connection, service.business, reference, now=now)
    )
    return answers.json(shown(service, payment), 202)


async def checks(request: Request) -> Response:
    """Many at once, by MD5: what is known of each, and a hint for those that may still be paid. Asks no bank here."""
    md5s = (await bodies.parse(request, ChecksBody)).md5s
    service, now = of(request), of(request).clock.now()

    def operation(connection: Connection) -> list[dict[str, object]]:
        results: list[dict[str, object]] = []
        for md5 in dict.fromkeys(md5s):
            payment = payments.by_md5(connection, md5)
            if payment is not None:
                payment = operations.hint(connection, service.business, payment.reference, now=now)
            results.append({"md5": md5, "payment": payment and presenting.payment(payment)})
        return results

    return answers.json({"object": "checks", "data": await service.executor.run(operation)})


async def cancel(request: Request) -> Response:
    """Give a payment up. Money that comes all the same is found and put to review. 409 where it is paid."""
    reason = (await bodies.parse(request, CancelBody)).reason
    service, reference = of(request), request.path_params["reference"]
    actor, now = caller(request).actor, service.clock.now()

    def operation(connection: Connection) -> Answer:
        payment = operations.cancel(connection, service.business, reference, reason=reason, actor=actor, now=now)
        return Answer(200, shown(service, payment))

    return await idempotent(request, operation)
