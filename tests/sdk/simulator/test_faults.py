"""What goes wrong, when it was told to."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bakong_khqr.testing import BakongSimulator, Fault, FaultKind, SimulatorResponse

Ask = Callable[..., SimulatorResponse]

MD5 = {"md5": "0" * 32}


@pytest.mark.parametrize(
    ("kind", "details", "status", "content_type", "contains"),
    [
        ("blocked", {}, 403, "text/html", b"cloudfront"),
        ("rate_limited", {}, 429, "text/html", b"429 Too Many Requests"),
        ("server_error", {}, 503, "text/html", b"<h1>503 Service"),
        ("server_error", {"status": 500}, 500, "text/html", b"<h1>500 Internal"),
        ("server_error", {"status": 502}, 502, "text/html", b"<h1>502 Bad"),
        ("server_error", {"status": 504}, 504, "text/html", b"<h1>504 Gateway"),
        ("error_code", {}, 200, "application/json", b'"errorCode":15,'),
        ("error_code", {"error_code": 9}, 200, "application/json", b"Cannot connect to server"),
        ("error_code", {"error_code": 99, "message": "new"}, 200, "application/json", b'"responseMessage":"new"'),
        ("unauthorized", {}, 401, "application/json", b'"errorCode":6,'),
        ("unauthorized", {"html": True}, 401, "text/html", b"401 Authorization Required"),
        ("garbage", {}, 200, "text/html", b"<html>This is not JSON"),
        (
            "answer",
            {"status": 200, "body": '{"data": 1}', "content_type": "application/json"},
            200,
            "application/json",
            b'{"data": 1}',
        ),
        ("answer", {"status": 400, "body": "x"}, 400, "text/html", b"x"),
    ],
)
def test_what_a_client_meets(
    bakong: BakongSimulator,
    ask: Ask,
    kind: str,
    details: Any,
    status: int,
    content_type: str,
    contains: bytes,
) -> None:
    bakong.inject(kind, **details)
    answer = ask("check_transaction_by_md5", MD5)
    assert (answer.status, answer.content_type) == (status, content_type)
    assert contains in answer.body
    assert bakong.requests[-1].fault == kind
    assert ask("check_transaction_by_md5", MD5).error_code == 1  # once, and it is over


def test_a_server_error_may_have_no_body(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.inject("server_error", status=502, empty=True)
    answer = ask("check_transaction_by_md5", MD5)
    assert (answer.status, answer.body) == (502, b"")


def test_retry_after_is_sent_where_it_is_set(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.inject("rate_limited", retry_after_seconds=7)
    assert ask("check_transaction_by_md5", MD5).headers["retry-after"] == "7"


def test_a_slow_answer_is_the_right_one_late(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.inject("slow", seconds=12.5)
    answer = ask("check_transaction_by_md5", MD5)
    assert (answer.delay_seconds, answer.error_code) == (12.5, 1)


def test_a_truncated_answer_is_no_json(bakong: BakongSimulator, ask: Ask, payload: str) -> None:
    md5 = bakong.pay(payload).md5
    bakong.inject("truncated")
    with pytest.raises(json.JSONDecodeError):
        json.loads(ask("check_transaction_by_md5", {"md5": md5}).body)


def test_an_oversize_answer_is_the_right_one_with_blanks(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.inject("oversize", size_bytes=2_000_000)
    answer = ask("check_transaction_by_md5", MD5)
    assert len(answer.body) == 2_000_000
    assert answer.json()["errorCode"] == 1


def test_list_answers_come_back_to_front_or_short(bakong: BakongSimulator, ask: Ask, payload: str) -> None:
    keys = ["0" * 32, bakong.pay(payload).md5, "f" * 32]
    bakong.inject("reordered_list")
    bakong.inject("short_list")
    assert [item["md5"] for item in ask("check_transaction_by_md5_list", keys).json()["data"]] == keys[::-1]
    short = ask("check_transaction_by_md5_list", keys).json()["data"]
    assert [item["md5"] for item in short] == keys[1:]
    assert str(short[0]["data"]["amount"]) == "2.5"


@pytest.mark.parametrize("kind", ["reordered_list", "short_list"])
def test_a_fault_of_lists_leaves_other_answers_alone(bakong: BakongSimulator, ask: Ask, kind: str) -> None:
    bakong.inject(kind, times=2)
    assert ask("check_transaction_by_md5", MD5).error_code == 1
    assert ask("generate_deeplink_by_qr", {"qr": "x"}).json()["responseCode"] == 0


def test_times_skip_and_endpoint(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.inject("server_error", times=2, skip=1, endpoint="check_transaction_by_md5")
    assert ask("renew_token", {"email": "simulator@example.test"}).status == 200
    assert [ask("check_transaction_by_md5", MD5).status for _ in range(5)] == [200, 503, 503, 200, 200]


def test_a_fault_without_times_stays_until_it_is_cleared(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.inject("server_error", times=None)
    assert {ask("check_transaction_by_md5", MD5).status for _ in range(20)} == {503}
    bakong.faults.clear()
    assert ask("check_transaction_by_md5", MD5).status == 200


def test_faults_hit_in_the_order_they_were_added(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.inject("server_error", status=500)
    bakong.inject("server_error", status=504)
    assert [ask("check_transaction_by_md5", MD5).status for _ in range(3)] == [500, 504, 200]


@pytest.mark.parametrize(("takes_effect", "tokens"), [(False, 1), (True, 2)])
def test_a_lost_answer_may_have_taken_effect(
    bakong: BakongSimulator, ask: Ask, takes_effect: bool, tokens: Any
) -> None:
    bakong.inject("dropped", takes_effect=takes_effect)
    assert ask("renew_token", {"email": "simulator@example.test"}).dropped
    assert len(bakong.tokens.records()) == tokens


@pytest.mark.parametrize(("takes_effect", "error_code"), [(False, 1), (True, 17)])
def test_only_a_call_that_took_effect_counts(
    bakong: BakongSimulator, ask: Ask, takes_effect: bool, error_code: Any
) -> None:
    bakong.configure(daily_quota=1)
    bakong.inject("dropped", takes_effect=takes_effect)
    ask("check_transaction_by_md5", MD5)
    assert ask("check_transaction_by_md5", MD5).error_code == error_code


def test_an_unknown_path_uses_no_fault_up(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.inject("server_error")
    assert ask("nothing").status == 404
    assert ask("renew_token", {}).status == 503


@pytest.mark.parametrize(
    ("details", "rule"),
    [
        ({"kind": "gremlin"}, "gremlin"),
        ({"times": 0}, "^times: 0 isn't"),
        ({"skip": -1}, "^skip: -1 isn't"),
        ({"status": 99}, "^status: 99 isn't"),
        ({"seconds": -1}, "^seconds: -1 isn't"),
        ({"size_bytes": 10**12}, "^size_bytes: "),
        ({"content_type": "text/html\r\nx: y"}, "^content_type: "),
    ],
)
def test_a_fault_that_can_t_be_is_refused(details: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Fault(**({"kind": FaultKind.SLOW} | details))


def test_an_unhit_fault_can_be_seen() -> None:
    bakong = BakongSimulator()
    fault = bakong.inject("server_error", times=2)
    assert bakong.faults.waiting() == [(fault, 2)]
