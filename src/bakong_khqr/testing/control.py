"""`/_simulator`: the paths of the simulator itself, for programs in any language, and a page for people at `/`."""

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import attrs

from bakong_khqr.errors import shown
from bakong_khqr.testing import answers, scenario
from bakong_khqr.testing.actions import ACTIONS, clock_view, fault_view, payment_view
from bakong_khqr.testing.endpoints import ENDPOINTS
from bakong_khqr.testing.exchange import SimulatorRequest, SimulatorResponse
from bakong_khqr.testing.faults import FaultKind
from bakong_khqr.testing.switches import Switches

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator

PREFIX: Final = "/_simulator"
_SHOWN: Final = 50
_PAGE: Final = {
    "": ("index.html", "text/html"),
    "style.css": ("style.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
}
_PAGE_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; img-src data:; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def is_control(path: str) -> bool:
    """Return whether a path is the simulator's own, and not Bakong's."""
    return path in {"/", PREFIX} or path.startswith(PREFIX + "/")


def answer(bakong: "BakongSimulator", request: SimulatorRequest) -> SimulatorResponse:
    """Perform a request. Answer 400 with the member and the rule for a wrong one, and 403 to another site's page."""
    if _is_of_another_site(request):
        message = f"origin: {shown(request.headers['origin'])} isn't this simulator; only its own page may control it"
        return _refuse(403, message)
    name = request.path.removeprefix(PREFIX).strip("/")
    match request.method, name:
        case "GET", _ if name in _PAGE:
            return _file(*_PAGE[name])
        case "GET", "state":
            return answers.json(200, state(bakong))
        case "DELETE", "faults":
            bakong.faults.clear()
            return answers.json(200, {})
        case "POST", "scenario":
            return _act(lambda body: scenario.play(bakong, body), request)
        case "POST", _ if name in ACTIONS:
            return _act(lambda body: ACTIONS[name](bakong, body), request)
    known = ", ".join(f"POST {PREFIX}/{each}" for each in [*ACTIONS, "scenario"])
    message = (
        f"path: {request.method} {request.path[:200]} isn't one of GET {PREFIX}/state, DELETE {PREFIX}/faults, {known}"
    )
    return _refuse(404, message)


def _is_of_another_site(request: SimulatorRequest) -> bool:
    """Return whether a page of another site sent this, because any page in a browser can reach a local port.

    A browser sends the origin of the page, and a program doesn't.
    """
    origin, host = request.headers.get("origin"), request.headers.get("host", "").lower()
    return origin is not None and origin.lower() not in {f"http://{host}", f"https://{host}"}


def _act(action: Any, request: SimulatorRequest) -> SimulatorResponse:
    try:
        body = request.json() if request.body.strip() else {}
    except ValueError as error:
        return _refuse(400, f"body: isn't JSON: {error}")
    try:
        return answers.json(200, action(body))
    except ValueError as error:
        return _refuse(400, str(error))


def _refuse(status: int, message: str) -> SimulatorResponse:
    member, _, rule = message.partition(": ")
    return answers.json(status, {"error": message, "member": member, "rule": rule})


def _file(name: str, content_type: str) -> SimulatorResponse:
    content = files("bakong_khqr.testing").joinpath("control_page", name).read_bytes()
    return SimulatorResponse(
        status=200, body=content, content_type=f"{content_type}; charset=utf-8", headers=_PAGE_HEADERS
    )


def state(bakong: "BakongSimulator") -> dict[str, Any]:
    """Return everything that a page or a test may show, newest first. No token is in it."""
    return clock_view(bakong) | {
        "switches": [
            {
                "name": field.name,
                "value": getattr(bakong.switches, field.name),
                "says": field.metadata["says"],
                "rule": field.metadata["rule"].text,
                "choices": field.metadata["rule"].choices,
                "guess": field.metadata["guess"],
            }
            for field in attrs.fields(Switches)
        ],
        "fault_kinds": [kind.value for kind in FaultKind],
        "endpoints": list(ENDPOINTS),
        "faults": [fault_view(fault) | {"left": left} for fault, left in bakong.faults.waiting()],
        "calls": dict(bakong.calls),
        "calls_today": max((record.calls_on(bakong.quota_day) for record in bakong.tokens.records()), default=0),
        "requests": [
            {
                "at_ms": call.at_ms,
                "method": call.method,
                "path": call.path,
                "body": call.body.decode(errors="replace"),
                "status": call.status,
                "error_code": call.error_code,
                "fault": call.fault,
            }
            for call in list(bakong.requests)[: -_SHOWN - 1 : -1]
        ],
        "payments_made": len(bakong.payments),
        "payments": [payment_view(payment) for payment in bakong.payments.latest(_SHOWN)],
        "outbox": [{"email": mail.email, "code": mail.code} for mail in list(bakong.tokens.outbox)[::-1]],
    }
