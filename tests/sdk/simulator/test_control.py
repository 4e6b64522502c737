"""`/_simulator`: the same acts over HTTP."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bakong_khqr.testing import BakongSimulator, SimulatorRequest, SimulatorResponse

Check = Callable[..., tuple[int, int | None, Any]]
Ask = Callable[..., SimulatorResponse]
Act = Callable[..., tuple[int, Any]]
Build = Callable[..., str]

MD5 = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def act(ask: Ask) -> Any:
    """`act("pay", {...})` gives HTTP status and content."""

    def act(action: str, body: Any = None, *, method: str = "POST") -> Any:
        answer = ask(f"/_simulator/{action}", body if body is not None else b"", method=method, token=None)
        return answer.status, answer.json()

    return act


def test_a_code_is_paid_as_a_bank_s_app_would(act: Act, check: Check, payload: str) -> None:
    status, paid = act("pay", {"qr": payload})
    assert status == 200
    assert (paid["to_account_id"], paid["currency"], paid["amount"]) == ("sokha@aclb", "USD", "2.50")
    assert check("check_transaction_by_md5", {"md5": paid["md5"]})[2]["hash"] == paid["hash"]


@pytest.mark.parametrize("amount", [b"2.5", b'"2.50"', b"3", b"0.1"])
def test_an_amount_is_a_number_or_a_text_and_never_a_float(act: Act, check: Check, payload: str, amount: Any) -> None:
    body = b'{"qr": %s, "amount": %s}' % (json.dumps(payload).encode(), amount)
    _, paid = act("pay", body)
    expected = Decimal(amount.decode().strip('"'))
    assert Decimal(paid["amount"]) == expected
    assert check("check_transaction_by_md5", {"md5": paid["md5"]})[2]["amount"] == expected


def test_details_other_than_the_code_says(act: Act, payload: str) -> None:
    body = {"qr": payload, "currency": "KHR", "to_account_id": "thief@demo", "created_at_ms": 1700000000000}
    _, paid = act("pay", body | {"visible_after_seconds": Decimal("1.5"), "description": None})
    assert (paid["currency"], paid["to_account_id"], paid["created_at_ms"]) == ("KHR", "thief@demo", 1700000000000)
    assert paid["visible_at_ms"] == 1795435200250 + 1500


def test_an_md5_is_paid_with_all_that_its_code_would_say(act: Act, check: Check) -> None:
    status, _ = act("pay", {"md5": MD5, "amount": 4000, "currency": "KHR", "to_account_id": "sokha@aclb"})
    assert status == 200
    assert check("check_transaction_by_md5", {"md5": MD5})[2]["amount"] == 4000


def test_a_failed_payment(act: Act, check: Check, payload: str) -> None:
    _, failed = act("fail", {"qr": payload})
    assert failed["failed"] is True
    assert check("check_transaction_by_md5", {"md5": failed["md5"]})[1] == 3


@pytest.mark.parametrize(
    ("action", "body", "member", "rule"),
    [
        ("pay", b"", "qr", "exactly one of qr and md5"),
        ("pay", {"md5": MD5.upper()}, "md5", "isn't 32 lower-case hexadecimal digits"),
        ("pay", b"not json", "body", "isn't JSON"),
        ("pay", b"\xff", "body", "isn't JSON"),
        ("pay", b"[" * 100_000, "body", "isn't JSON"),
        ("pay", [], "body", "isn't a JSON object with qr, md5"),
        ("pay", {"qr": "x", "md5": MD5}, "qr", "exactly one of qr and md5"),
        ("pay", {"qr": "hello"}, "qr", "isn't a code"),
        ("pay", {"qr": 5}, "qr", "5 isn't a string"),
        ("pay", {"md5": MD5}, "amount", "is needed"),
        ("pay", {"md5": MD5, "amount": "much"}, "amount", "'much' isn't a number"),
        ("pay", {"md5": MD5, "amount": True}, "amount", "True isn't a Decimal"),
        ("pay", {"md5": MD5, "amount": -1}, "amount", "isn't above 0"),
        ("pay", {"md5": MD5, "amunt": 1}, "amunt", "isn't a member here; the members are qr, md5, amount"),
        ("pay", {"md5": MD5, "created_at_ms": "now"}, "created_at_ms", "isn't a whole number"),
        ("pay", {"md5": MD5, "visible_after_seconds": "1"}, "visible_after_seconds", "isn't a number of seconds"),
        ("fail", {}, "qr", "exactly one of"),
        ("scan", {}, "qr", "is needed"),
        ("faults", {}, "kind", "isn't one of blocked"),
        ("faults", {"kind": "gremlin"}, "kind", "'gremlin' isn't one of blocked"),
        ("faults", {"kind": "slow", "times": 0}, "times", "0 isn't a number from 1 on"),
        ("faults", {"kind": "slow", "empty": 1}, "empty", "1 is neither true nor false"),
        ("faults", {"kind": "slow", "endpoint": "nowhere"}, "endpoint", "'nowhere' isn't one of request_token"),
        ("switches", {"daily_quota": 0}, "daily_quota", "0 isn't a whole number from 1"),
        ("switches", {"typo": 1}, "typo", "isn't a switch"),
        ("switches", [], "body", "isn't a JSON object"),
        ("clock", {}, "now_ms", "exactly one of"),
        ("clock", {"now_ms": 1, "offset_seconds": 1}, "now_ms", "exactly one of"),
        ("clock", {"offset_seconds": "1"}, "offset_seconds", "isn't a number of seconds"),
        ("clock", {"advance_seconds": 10**12}, "advance_seconds", "isn't a number of seconds"),
        ("tokens", {"email": ""}, "email", "isn't a string, or is empty"),
        ("accounts", {}, "account_id", "is needed"),
        ("items", {"key": "x"}, "key", "key and status are needed"),
        ("reset", {"hard": True}, "hard", "isn't a member here"),
    ],
)
def test_a_wrong_member_is_named_with_its_rule_and_nothing_happens(
    bakong: BakongSimulator, act: Act, action: str, body: Any, member: str, rule: str
) -> None:
    status, answer = act(action, body)
    assert (status, answer["member"]) == (400, member)
    assert rule in answer["rule"]
    assert answer["error"] == f"{answer['member']}: {answer['rule']}"
    assert (len(bakong.payments), bakong.faults.waiting(), bakong.clock.offset.total_seconds()) == (0, [], 0)


def test_an_unknown_path_says_what_there_is(act: Act) -> None:
    status, answer = act("nothing")
    assert status == 404
    assert "POST /_simulator/pay" in answer["error"]
    assert act("pay", method="GET")[0] == 404


def test_the_clock_can_be_offset_set_and_advanced(bakong: BakongSimulator, act: Act) -> None:
    noon_ms = bakong.clock.now_ms
    assert act("clock", {"offset_seconds": Decimal("90.5")}) == (
        200,
        {"now_ms": noon_ms + 90_500, "offset_seconds": Decimal("90.5")},
    )
    assert act("clock", {"offset_seconds": 60})[1]["now_ms"] == noon_ms + 60_000
    assert act("clock", {"advance_seconds": 60})[1]["now_ms"] == noon_ms + 120_000
    assert act("clock", {"now_ms": 1800000000000})[1]["now_ms"] == 1800000000000
    assert act("clock", {"offset_seconds": 0})[1]["now_ms"] == noon_ms


def test_faults_are_added_seen_and_cleared(bakong: BakongSimulator, act: Act, ask: Ask) -> None:
    assert act("faults", {"kind": "server_error", "times": 2, "status": 502}) == (
        200,
        {"kind": "server_error", "times": 2, "status": 502},
    )
    assert act("faults", {"kind": "blocked", "times": None})[0] == 200
    assert ask("renew_token", {}).status == 502
    state = act("state", method="GET")[1]
    assert state["faults"] == [
        {"kind": "server_error", "times": 2, "status": 502, "left": 1},
        {"kind": "blocked", "times": None, "left": None},
    ]
    assert act("faults", method="DELETE") == (200, {})
    assert bakong.faults.waiting() == []
    act("faults", {"kind": "blocked"})
    act("clear_faults", {})
    assert bakong.faults.waiting() == []


def test_switches_tokens_accounts_and_item_statuses(bakong: BakongSimulator, act: Act, check: Check) -> None:
    assert act("switches", {"daily_quota": 5, "geo_block": False})[1]["daily_quota"] == 5
    assert act("switches", {"daily_quota": None})[1]["daily_quota"] is None
    token = act("tokens", {"email": "dev@example.test", "lifetime_seconds": 60})[1]["token"]
    assert check("check_transaction_by_md5", {"md5": MD5}, token=token)[0] == 200
    act("accounts", {"account_id": "sokha@demo", "full_name": "Sokha Chan"})
    assert check("check_bakong_account", {"accountId": "sokha@demo"})[2]["fullName"] == "Sokha Chan"
    act("accounts", {"account_id": "sokha@demo", "exists": False})
    assert check("check_bakong_account", {"accountId": "sokha@demo"})[1] == 11
    act("items", {"key": MD5, "status": "SERVICE_FAILED"})
    assert check("check_transaction_by_md5_list", [MD5])[2][0]["status"] == "SERVICE_FAILED"
    act("items", {"key": MD5, "status": None})
    assert check("check_transaction_by_md5_list", [MD5])[2][0]["status"] == "NOT_FOUND"


def test_a_scanned_code_is_described(act: Act, payload: str, build: Build) -> None:
    scanned = act("scan", {"qr": payload})[1]
    assert (scanned["merchant_name"], scanned["amount"], scanned["is_static"]) == ("Sokha Coffee", "2.50", False)
    assert act("scan", {"qr": build(amount=None, static=True)})[1]["amount"] is None


def test_the_state_shows_what_happened_and_no_token(bakong: BakongSimulator, act: Act, ask: Ask, payload: str) -> None:
    ask("check_transaction_by_md5", {"md5": MD5}, token="planted-secret")
    act("pay", {"qr": payload})
    ask("request_token", {"email": "dev@example.test", "organization": "Co", "project": "Shop"})
    issued = bakong.issue_token()
    answer = ask("/_simulator/state", method="GET")
    state = answer.json()
    assert [call["path"] for call in state["requests"]] == ["/v1/request_token", "/v1/check_transaction_by_md5"]
    assert state["requests"][1]["status"] == 401
    assert state["calls"] == {"check_transaction_by_md5": 1, "request_token": 1}
    assert state["payments"][0]["amount"] == "2.50"
    assert state["payments_made"] == 1
    assert state["outbox"][0]["email"] == "dev@example.test"
    assert b"planted-secret" not in answer.body
    assert issued.encode() not in answer.body


def test_a_reset_over_http(bakong: BakongSimulator, act: Act, payload: str) -> None:
    act("pay", {"qr": payload})
    assert act("reset") == (200, {})
    assert len(bakong.payments) == 0


@pytest.mark.parametrize(
    ("path", "content_type", "contains"),
    [
        ("/", "text/html", b"<h1>Bakong simulator"),
        ("/_simulator", "text/html", b"<h1>Bakong simulator"),
        ("/_simulator/", "text/html", b"<h1>Bakong simulator"),
        ("/_simulator/style.css", "text/css", b":focus-visible"),
        ("/_simulator/page.js", "text/javascript", b"BarcodeDetector"),
    ],
)
def test_the_page_for_a_person_loads_from_here_alone(ask: Ask, path: str, content_type: str, contains: bytes) -> None:
    answer = ask(path, method="GET", token=None)
    assert (answer.status, answer.content_type) == (200, f"{content_type}; charset=utf-8")
    assert contains in answer.body
    assert b"http://" not in answer.body
    assert b"https://" not in answer.body
    assert b"innerHTML" not in answer.body
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_control_calls_are_no_calls_to_bakong(bakong: BakongSimulator, act: Act) -> None:
    bakong.configure(geo_block=True)
    assert act("state", method="GET")[0] == 200
    assert len(bakong.requests) == 0


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:9000", 200),
        ("HTTP://LOCALHOST:9000", 200),
        ("https://localhost:9000", 200),
        ("http://localhost:9001", 403),
        ("http://127.0.0.1:9000", 403),
        ("https://shop.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_only_its_own_page_may_control_it_from_a_browser(
    bakong: BakongSimulator, payload: str, origin: str, status: int
) -> None:
    headers = {"host": "localhost:9000"} | ({} if origin is None else {"origin": origin})
    for method, path in (("POST", "pay"), ("GET", "state"), ("DELETE", "faults")):
        body = json.dumps({"qr": payload}).encode() if path == "pay" else b""
        answer = bakong.handle(SimulatorRequest(method=method, path=f"/_simulator/{path}", headers=headers, body=body))
        assert answer.status == status
    if status == 403:
        assert answer.json()["member"] == "origin"
        assert "only its own page may control it" in answer.json()["rule"]
    assert len(bakong.payments) == (status == 200)
