"""Requests that exist only in test mode: move the clock forward, and pay a QR.

The simulator at `BAKONG_BASE_URL` stands in for Bakong and for the payer's bank. It is another process with a clock of
its own, so the service sends it the time.
"""

from datetime import timedelta
from typing import Annotated, Any

import httpx
import structlog
from attrs import asdict, frozen
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.domain.errors import Fault, NotFound
from bakong_service.domain.moment import moment
from bakong_service.operations import test_clock as operations
from bakong_service.resources import SimulatedPayment, TestClock
from bakong_service.storage import test_clock
from bakong_service.storage.payments import payments
from bakong_service.web.http import answers, bodies
from bakong_service.web.http.auth import act
from bakong_service.web.http.problems import Problem, invalid
from bakong_service.web.http.service import Service, of
from bakong_service.web.payments.payments import payload

log = structlog.get_logger(__name__)

_TEN_YEARS = 10 * 366 * 86_400  # in seconds: the most that one request may add
_LAST_MS = 253_402_300_799_999  # the end of the year 9999
_TIMEOUT_SECONDS = 5.0


@frozen(kw_only=True)
class AdvanceBody:
    """How far to move the clock forward, in seconds."""

    seconds: Annotated[int, Meta(ge=1, le=_TEN_YEARS)]


@frozen(kw_only=True)
class PayBody:
    """The payment to pay. The other members imitate a payer's mistake: another amount, currency, receiver or time."""

    reference: str
    amount: Annotated[str, Meta(max_length=32)] | None = None
    currency: Annotated[str, Meta(max_length=3)] | None = None
    to_account_id: Annotated[str, Meta(max_length=64)] | None = None
    created_at_ms: Annotated[int, Meta(ge=0, le=_LAST_MS)] | None = None


async def advance(request: Request) -> Response:
    """Move the clocks of the service and of the simulator forward. Everything that falls due happens at once.

    The simulator's clock is moved first. If the simulator doesn't answer, neither clock moves.
    """
    step = timedelta(seconds=(await bodies.parse(request, AdvanceBody)).seconds)
    service = of(request)
    ahead = await service.executor.read(test_clock.offset) + step
    await simulator(service, "clock", {"offset_seconds": ahead.total_seconds()})
    service.clock.offset = await act(request, lambda work: operations.advance(work, step))
    offset = service.clock.offset.total_seconds()
    return answers.json(TestClock(now=moment(service.clock.now()), offset_seconds=offset))


async def pay(request: Request) -> Response:
    """Pay a payment's QR in the simulator, as a payer's bank app would. The money is sent at the service's time."""
    body = await bodies.parse(request, PayBody)
    service = of(request)
    payment = await service.executor.read(lambda connection: payments.by_reference(connection, body.reference))
    if payment is None:
        raise NotFound("payment_not_found", f"there is no payment {body.reference[:64]}")
    mistakes = {name: value for name, value in asdict(body).items() if name != "reference" and value is not None}
    # The simulator may have restarted, or somebody else may have moved its clock: set it to the service's time.
    await simulator(service, "clock", {"now_ms": int(service.clock.now().timestamp() * 1000)})
    transfer = await simulator(service, "pay", {"qr": payload(service, payment), **mistakes})
    return answers.json(SimulatedPayment.of(payment.reference, transfer))


async def tell_simulator_the_time(service: Service) -> None:
    """When the service starts, send the simulator the offset from the database.

    The simulator keeps its offset in memory and loses it in a restart. If the simulator doesn't answer, this is only
    logged: `advance` and `pay` set its clock again.
    """
    if service.clock.offset:
        try:
            await simulator(service, "clock", {"offset_seconds": service.clock.offset.total_seconds()})
        except Problem as problem:
            log.warning("simulator_not_told_the_time", detail=problem.detail)


async def simulator(service: Service, action: str, body: dict[str, Any]) -> Any:
    """Post an action to the simulator at BAKONG_BASE_URL, and return its JSON answer.

    Raises a 503 `Problem` if no simulator answers there, and a 422 `Problem` if the simulator refuses the action.
    """
    url = f"{service.settings.bakong_base_url}/_simulator/{action}"
    try:
        # Without TLS the certificates aren't loaded, because loading them would take most of the time of a request.
        speaks_tls = url.startswith("https:")
        async with httpx.AsyncClient(trust_env=False, verify=speaks_tls, timeout=_TIMEOUT_SECONDS) as client:
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
