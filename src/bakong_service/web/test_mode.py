"""What test mode alone has: a clock that is moved on, and a payer behind the simulator."""

from datetime import timedelta
from typing import Annotated, Any

import httpx
import structlog
from attrs import asdict, frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Fault, NotFound
from bakong_service.operations import test_clock as operations
from bakong_service.operations.presenting import moment
from bakong_service.storage import payments, test_clock
from bakong_service.web import answers, bodies
from bakong_service.web.auth import caller
from bakong_service.web.payments import payload
from bakong_service.web.problems import Problem, invalid
from bakong_service.web.service import Service, of

log = structlog.get_logger(__name__)

_TEN_YEARS = 10 * 366 * 86_400
_TIMEOUT_SECONDS = 5.0


@frozen(kw_only=True)
class AdvanceBody:
    """How far, in seconds."""

    seconds: Annotated[int, Meta(ge=1, le=_TEN_YEARS)]


@frozen(kw_only=True)
class PayBody:
    """Which payment; and where the payer errs, another amount, currency, receiver or time."""

    reference: str
    amount: Annotated[str, Meta(max_length=32)] | None = None
    currency: Annotated[str, Meta(max_length=3)] | None = None
    to_account_id: Annotated[str, Meta(max_length=64)] | None = None
    created_at_ms: int | None = None


async def advance(request: Request) -> Response:
    """Move the clock of the service and of the simulator on; everything that falls due happens at once.

    The simulator goes first: where it can't be told, nothing moves.
    """
    by = timedelta(seconds=(await bodies.parse(request, AdvanceBody)).seconds)
    service, actor = of(request), caller(request).actor
    ahead = await service.executor.read(test_clock.offset) + by
    await simulator(service, "clock", {"offset_seconds": ahead.total_seconds()})
    now = service.clock.now()
    service.clock.offset = await service.executor.run(
        lambda connection: operations.advance(connection, service.business, by, actor=actor, now=now)
    )
    body = {
        "object": "test_clock",
        "now": moment(service.clock.now()),
        "offset_seconds": service.clock.offset.total_seconds(),
    }
    return answers.json(body)


async def pay(request: Request) -> Response:
    """Pay a payment's QR as a bank app would, through the simulator."""
    body = await bodies.parse(request, PayBody)
    service = of(request)
    payment = await service.executor.read(lambda connection: payments.by_reference(connection, body.reference))
    if payment is None:
        raise NotFound("payment_not_found", f"there is no payment {body.reference[:64]}")
    errors = {name: value for name, value in asdict(body).items() if name != "reference" and value is not None}
    transaction = await simulator(service, "pay", {"qr": payload(service, payment), **errors})
    return answers.json({"object": "simulated_payment", "payment": payment.reference, "transaction": transaction})


async def tell_simulator_the_time(service: Service) -> None:
    """At start, give the simulator the offset that the database kept: it may have been started anew, too."""
    if service.clock.offset:
        try:
            await simulator(service, "clock", {"offset_seconds": service.clock.offset.total_seconds()})
        except Problem as problem:
            log.warning("simulator_not_told_the_time", detail=problem.detail)


async def simulator(service: Service, action: str, body: dict[str, Any]) -> Any:
    """Tell the simulator at BAKONG_BASE_URL to do something. Raises a 503 `Problem` where there is none, 422 where it
    refuses."""
    url = f"{service.settings.bakong_base_url}/_simulator/{action}"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS) as client:
            response = await client.post(url, json=body)
    except httpx.HTTPError as error:
        detail = f"the simulator at BAKONG_BASE_URL doesn't answer: {type(error).__name__}"
        headers = {"Retry-After": "2"}
        raise Problem(status=503, code="simulator_away", detail=detail, headers=headers, retryable=True) from error
    if response.status_code == httpx.codes.BAD_REQUEST:
        refused = response.json()
        raise invalid(Fault(f"/{refused['member']}", "refused_by_simulator", refused["rule"]))
    if not response.is_success:
        detail = f"BAKONG_BASE_URL answered {response.status_code} to {action}: it isn't a simulator"
        raise Problem(status=503, code="not_a_simulator", detail=detail)
    return response.json()
