"""The checks of a call before it reaches its endpoint.

Each refusal looks as Bakong's does. Nobody outside knows the order of Bakong's checks, so the order here is our choice:
country, path, method, fault, token, quota, body.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bakong_khqr.testing import answers
from bakong_khqr.testing.endpoints import ENDPOINTS, Endpoint
from bakong_khqr.testing.exchange import SimulatorRequest, SimulatorResponse
from bakong_khqr.testing.faults import Fault
from bakong_khqr.testing.tokens import TokenRecord

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator


def endpoint_name(path: str) -> str | None:
    """Return `check_transaction_by_md5` for `/v1/check_transaction_by_md5`; `None` for an unknown path."""
    name = path.removeprefix("/v1/")
    return name if name != path and name in ENDPOINTS else None


def answer(bakong: "BakongSimulator", request: SimulatorRequest) -> tuple[SimulatorResponse, Fault | None]:
    """Return the simulator's answer to a call, and the fault that a test has injected into it, for the log.

    The answer already has the effect of the fault.
    """
    switches = bakong.switches
    if switches.geo_block or (switches.user_agent_required and not request.headers.get("user-agent")):
        return answers.cloudfront_block(), None
    name = endpoint_name(request.path)
    if name is None or (name in {"request_token", "verify"} and not switches.legacy_registration):
        return answers.nginx(404), None
    if name == "check_transaction_by_md5_list" and switches.md5_list_closed:
        return answers.nginx(403), None
    if request.method != "POST":
        return answers.nginx(switches.wrong_method_status), None
    fault = bakong.faults.take(name)
    if fault is not None and not fault.lets_through:
        return fault.answer(), fault
    response = _serve(bakong, name, ENDPOINTS[name], request)
    return (response if fault is None else fault.spoil(response)), fault


def _serve(bakong: "BakongSimulator", name: str, endpoint: Endpoint, request: SimulatorRequest) -> SimulatorResponse:
    switches = bakong.switches
    needs_token = endpoint.needs_token or (name == "check_bakong_account" and switches.account_needs_token)
    record = _token_record(bakong, request.headers)
    calls = 0
    if record is not None and (needs_token or switches.quota_scope == "all"):
        calls = record.count_call(bakong.quota_day)  # today's calls with this token; a refused call counts too
    if needs_token and (record is None or not record.is_valid(bakong.clock.now_ms)):
        return answers.failure(answers.UNAUTHORIZED, status=switches.unauthorized_status)
    if switches.daily_quota is not None and calls > switches.daily_quota:
        return answers.quota_spent(switches.daily_quota)
    try:
        body = request.json()
    except ValueError:
        return answers.failure(answers.MISSING_FIELDS, status=switches.bad_request_status)
    return endpoint(bakong, body)


def _token_record(bakong: "BakongSimulator", headers: Mapping[str, str]) -> TokenRecord | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return bakong.tokens.find(token) if scheme.lower() == "bearer" else None
