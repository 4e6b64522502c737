"""The actions on a simulator, each with a name and members in JSON, for HTTP and for the steps of a scenario.

An action checks its members before it does anything. Its `ValueError` begins with the wrong member.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs

from bakong_khqr.errors import shown
from bakong_khqr.testing.endpoints import ENDPOINTS
from bakong_khqr.testing.faults import Fault, FaultKind
from bakong_khqr.testing.payer import as_amount, is_md5
from bakong_khqr.testing.payments import SimulatedPayment

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator

Members = Mapping[str, Callable[[str, Any], Any]]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: {shown(value)} isn't a string, or is empty")
    return value


def _text_or_null(name: str, value: Any) -> str | None:
    return None if value is None else _text(name, value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name}: {shown(value)} is neither true nor false")  # noqa: TRY004 - every refusal is a ValueError
    return value


def _whole(name: str, value: Any) -> int:
    # The limit keeps the computation with milliseconds and `timedelta` from overflowing.
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 10**15:
        raise ValueError(f"{name}: {shown(value)} isn't a whole number between -1e15 and 1e15")
    return value


def _whole_or_null(name: str, value: Any) -> int | None:
    return None if value is None else _whole(name, value)


def _number(name: str, value: Any) -> float:
    # The readers of JSON and of scenarios make a `Decimal` of each fraction, so no float comes here.
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not -(10**9) < value < 10**9:
        raise ValueError(f"{name}: {shown(value)} isn't a number of seconds between -1e9 and 1e9")
    return float(value)


def _seconds(name: str, value: Any) -> timedelta:
    return timedelta(seconds=_number(name, value))


def _amount(_: str, value: Any) -> Decimal:
    """Return the amount. The messages of `as_amount` already begin with the member's name."""
    try:
        return as_amount(value)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _read(body: Any, members: Members) -> dict[str, Any]:
    """Return the checked members. An unknown member is refused."""
    if not isinstance(body, Mapping):
        raise ValueError(f"body: isn't a JSON object with {_listed(members)}")  # noqa: TRY004 - every refusal is a ValueError
    for name in body:
        if name not in members:
            raise ValueError(f"{name}: isn't a member here; the members are {_listed(members)}")
    return {name: members[name](name, value) for name, value in body.items()}


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names)


_PAYMENT: Final[Members] = {
    "qr": _text,
    "md5": _text,
    "amount": _amount,
    "currency": _text,
    "to_account_id": _text,
    "from_account_id": _text,
    "created_at_ms": _whole,
    "visible_after_seconds": _seconds,
    "external_ref": _text,
    "instruction_ref": _text,
    "description": _text,
    "tracking_status": _text,
    "receiver_bank": _text,
    "receiver_bank_account": _text,
}


def _record(bakong: "BakongSimulator", body: Any, *, failed: bool) -> dict[str, Any]:
    # A member that is null counts as not given.
    given = {name: value for name, value in body.items() if value is not None} if isinstance(body, Mapping) else body
    details = _read(given, _PAYMENT)
    if ("qr" in details) == ("md5" in details):
        raise ValueError("qr: exactly one of qr and md5 is needed")
    if "md5" in details and not is_md5(details["md5"]):
        raise ValueError(f"md5: {shown(details['md5'])} isn't 32 lower-case hexadecimal digits")
    code = details.pop("qr", None) or details.pop("md5")
    if "visible_after_seconds" in details:
        details["visible_after"] = details.pop("visible_after_seconds")
    return payment_view(bakong.pay(code, failed=failed, **details))


def _pay(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    return _record(bakong, body, failed=False)


def _fail(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    return _record(bakong, body, failed=True)


def _scan(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    """Show a code to the simulator, so that its MD5 can be paid. Return what the simulator read in it."""
    details = _read(body, {"qr": _text})
    if "qr" not in details:
        raise ValueError("qr: is needed")
    code = attrs.asdict(bakong.remember(details["qr"]))
    return code | {"amount": None if code["amount"] is None else format(code["amount"], "f")}


_FAULT: Final[Members] = {
    "kind": _text,
    "times": _whole_or_null,
    "skip": _whole,
    "endpoint": _text,
    "takes_effect": _flag,
    "status": _whole,
    "empty": _flag,
    "html": _flag,
    "error_code": _whole,
    "message": _text,
    "retry_after_seconds": _whole,
    "seconds": _number,
    "size_bytes": _whole,
    "body": _text,
    "content_type": _text,
}


def _faults(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    details = _read(body, _FAULT)
    if details.get("kind") not in set(FaultKind):
        raise ValueError(f"kind: {shown(details.get('kind'))} isn't one of {', '.join(FaultKind)}")
    if "endpoint" in details and details["endpoint"] not in ENDPOINTS:
        raise ValueError(f"endpoint: {shown(details['endpoint'])} isn't one of {_listed(ENDPOINTS)}")
    return fault_view(bakong.inject(**details))


def _clear_faults(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    _read(body, {})
    bakong.faults.clear()
    return {}


def _switches(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise ValueError("body: isn't a JSON object with switches and their values")  # noqa: TRY004 - every refusal is a ValueError
    try:
        bakong.configure(**body)
    except TypeError as error:
        raise ValueError(str(error)) from error
    return attrs.asdict(bakong.switches)


def _clock(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    details = _read(body, {"now_ms": _whole, "offset_seconds": _seconds, "advance_seconds": _seconds})
    if len(details) != 1:
        raise ValueError("now_ms: exactly one of now_ms, offset_seconds and advance_seconds is needed")
    match details:
        case {"now_ms": now_ms}:
            bakong.clock.offset += timedelta(milliseconds=now_ms - bakong.clock.now_ms)
        case {"offset_seconds": offset}:
            bakong.clock.offset = offset
        case {"advance_seconds": duration}:
            bakong.advance(duration)
    return clock_view(bakong)


def _tokens(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    details = _read(body, {"email": _text, "lifetime_seconds": _seconds})
    return {"token": bakong.issue_token(details.get("email"), lifetime=details.get("lifetime_seconds"))}


def _accounts(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    members: Members = {
        "account_id": _text,
        "exists": _flag,
        "full_name": _text,
        "account_status": _text,
        "kyc_status": _text,
        "can_receive": _flag,
        "frozen": _flag,
    }
    details = _read(body, members)
    if "account_id" not in details:
        raise ValueError("account_id: is needed")
    if details.pop("exists", True):
        bakong.accounts.add(**details)
    else:
        bakong.accounts.remove(details["account_id"])
    return {}


def _items(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    """Set the status that a list check answers for a key, such as an MD5. With null, it is the true status again."""
    details = _read(body, {"key": _text, "status": _text_or_null})
    if details.keys() != {"key", "status"}:
        raise ValueError("key: key and status are needed")
    if details["status"] is None:
        bakong.item_statuses.pop(details["key"], None)
    else:
        bakong.item_statuses[details["key"]] = details["status"]
    return {}


def _reset(bakong: "BakongSimulator", body: Any) -> dict[str, Any]:
    _read(body, {})
    bakong.reset()
    return {}


ACTIONS: Final[Mapping[str, Callable[["BakongSimulator", Any], dict[str, Any]]]] = {
    "pay": _pay,
    "fail": _fail,
    "scan": _scan,
    "faults": _faults,
    "clear_faults": _clear_faults,
    "switches": _switches,
    "clock": _clock,
    "tokens": _tokens,
    "accounts": _accounts,
    "items": _items,
    "reset": _reset,
}
"""The function of each action, by its name. It returns the answer."""


def payment_view(payment: SimulatedPayment) -> dict[str, Any]:
    """Return a payment for a person or a test. Its amount is a string, so that no reader makes it a float."""
    return attrs.asdict(payment) | {"amount": format(payment.amount, "f")}


def fault_view(fault: Fault) -> dict[str, Any]:
    """Return a fault: its kind, its `times`, and every other detail that doesn't have its default."""
    default = Fault(kind=fault.kind)
    changed = {name: value for name, value in attrs.asdict(fault).items() if value != getattr(default, name)}
    return {"kind": fault.kind.value, "times": fault.times} | changed


def clock_view(bakong: "BakongSimulator") -> dict[str, Any]:
    """Return the simulator's time, and how many seconds its clock is ahead of its source (below zero: behind)."""
    return {"now_ms": bakong.clock.now_ms, "offset_seconds": Decimal(str(bakong.clock.offset.total_seconds()))}
