"""The doors a call goes through before its endpoint: country, path, method, token, quota."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bakong_khqr.testing import BakongSimulator, SimulatorRequest, SimulatorResponse

Check = Callable[..., tuple[int, int | None, Any]]
Ask = Callable[..., SimulatorResponse]

MD5 = {"md5": "0" * 32}
TOKEN_FREE = [
    ("request_token", {"email": "new@example.test", "organization": "Shop", "project": "Till"}),
    ("renew_token", {"email": "simulator@example.test"}),
    ("generate_deeplink_by_qr", {"qr": "x"}),
    ("check_bakong_account", {"accountId": "sokha@demo"}),
    ("check_account_exist", {"accountId": "sokha@demo"}),
]
WITH_TOKEN = [
    ("check_transaction_by_md5", MD5),
    ("check_transaction_by_hash", {"hash": "0" * 64}),
    ("check_transaction_by_short_hash", {"hash": "0" * 8, "amount": 1, "currency": "USD"}),
    ("check_transaction_by_instruction_ref", {"instructionRef": "x"}),
    ("check_transaction_by_external_ref", {"externalRef": "x"}),
    ("check_transaction_by_md5_list", ["0" * 32]),
    ("check_transaction_by_hash_list", ["0" * 64]),
]


@pytest.mark.parametrize(("endpoint", "body"), WITH_TOKEN)
@pytest.mark.parametrize(
    "token", [None, "", "wrong", "simulator ", " simulator", "Simulator", "eyJhbGciOiJIUzI1NiJ9.e30.x"]
)
def test_a_check_without_a_good_token_is_http_401_with_error_code_6(
    ask: Ask, endpoint: str, body: Any, token: Any
) -> None:
    answer = ask(endpoint, body, token=token)
    assert (answer.status, answer.error_code) == (401, 6)
    assert answer.json()["responseMessage"] == "Unauthorized, not yet requested for token or code invalid"


@pytest.mark.parametrize(("endpoint", "body"), TOKEN_FREE)
def test_the_other_endpoints_want_no_token(ask: Ask, endpoint: str, body: Any) -> None:
    answer = ask(endpoint, body, token=None)
    assert (answer.status, answer.error_code) == (200, None)


@pytest.mark.parametrize("authorization", ["simulator", "Basic simulator", "Bearer", "Bearer  simulator", ""])
def test_only_a_bearer_token_counts(bakong: BakongSimulator, authorization: Any) -> None:
    request = SimulatorRequest(
        method="POST", path="/v1/check_transaction_by_md5", headers={"authorization": authorization}, body=b"{}"
    )
    assert bakong.handle(request).status == 401


def test_code_6_may_come_with_http_200(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.configure(unauthorized_status=200)
    answer = ask("check_transaction_by_md5", MD5, token=None)
    assert (answer.status, answer.error_code) == (200, 6)


def test_accounts_need_a_token_where_the_switch_says_so(bakong: BakongSimulator, check: Check) -> None:
    bakong.configure(account_needs_token=True)
    assert check("check_bakong_account", {"accountId": "sokha@demo"}, token=None)[:2] == (401, 6)
    assert check("check_account_exist", {"accountId": "sokha@demo"}, token=None)[:2] == (200, None)


def test_from_abroad_everything_is_a_cloudfront_page(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.configure(geo_block=True)
    for endpoint, body in TOKEN_FREE + WITH_TOKEN:
        answer = ask(endpoint, body)
        assert (answer.status, answer.content_type, answer.headers["server"]) == (403, "text/html", "CloudFront")
        assert b"responseCode" not in answer.body


def test_a_call_without_a_user_agent_is_refused_where_the_switch_says_so(bakong: BakongSimulator, ask: Ask) -> None:
    request = SimulatorRequest(method="POST", path="/v1/renew_token", body=b'{"email": "simulator@example.test"}')
    assert bakong.handle(request).status == 200
    bakong.configure(user_agent_required=True)
    assert bakong.handle(request).status == 403
    assert ask("renew_token", {"email": "simulator@example.test"}).status == 200


@pytest.mark.parametrize("token", ["simulator", "wrong", None])
def test_the_closed_list_is_a_bare_nginx_page_whatever_the_token(token: Any) -> None:
    production = BakongSimulator.like_production()
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    path = "/v1/check_transaction_by_md5_list"
    answer = production.handle(SimulatorRequest(method="POST", path=path, headers=headers, body=b"anything"))
    assert (answer.status, answer.content_type, answer.headers["server"]) == (403, "text/html", "nginx")
    open_path = "/v1/check_transaction_by_hash_list"
    request = SimulatorRequest(
        method="POST", path=open_path, headers={"authorization": "Bearer simulator"}, body=b'["f"]'
    )
    assert production.handle(request).status == 200


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v2/renew_token", "/renew_token", "/v1/renew_token/", "//"]
)
def test_an_unknown_path_is_http_404(ask: Ask, path: str) -> None:
    answer = ask(path)
    assert (answer.status, answer.content_type) == (404, "text/html")


@pytest.mark.parametrize("status", [405, 404])
def test_a_get_is_refused(bakong: BakongSimulator, ask: Ask, status: int) -> None:
    bakong.configure(wrong_method_status=status)
    assert ask("check_transaction_by_md5", MD5, method="GET").status == status


def test_the_legacy_paths_can_be_gone(bakong: BakongSimulator, ask: Ask) -> None:
    bakong.configure(legacy_registration=False)
    assert ask("request_token", TOKEN_FREE[0][1]).status == 404
    assert ask("verify", {"code": "A" * 20}).status == 404


def test_the_101st_call_of_a_day_is_error_code_17_until_midnight_in_phnom_penh(
    bakong: BakongSimulator, ask: Ask, check: Check
) -> None:
    bakong.configure(daily_quota=100)
    assert [check("check_transaction_by_md5", MD5)[1] for _ in range(100)] == [1] * 100
    answer = ask("check_transaction_by_md5", MD5)
    assert answer.status == 200
    assert answer.json() == {
        "responseCode": 1,
        "responseMessage": "Daily request limit of 100 exceeded. Please try again tomorrow.",
        "errorCode": 17,
        "data": None,
    }
    bakong.advance(timedelta(hours=4, minutes=59, seconds=59))  # noon UTC is 19:00 in Phnom Penh
    assert check("check_transaction_by_md5", MD5)[1] == 17
    bakong.advance(timedelta(seconds=1))
    assert check("check_transaction_by_md5", MD5)[1] == 1


def test_a_list_call_counts_once_and_a_refused_body_counts(bakong: BakongSimulator, check: Check) -> None:
    bakong.configure(daily_quota=2)
    check("check_transaction_by_md5_list", ["0" * 32] * 50)
    assert check("check_transaction_by_md5", {})[1] == 5
    assert check("check_transaction_by_md5", MD5)[1] == 17


def test_each_token_has_its_own_quota(bakong: BakongSimulator, check: Check) -> None:
    bakong.configure(daily_quota=1)
    other = bakong.issue_token()
    assert check("check_transaction_by_md5", MD5)[1] == 1
    assert check("check_transaction_by_md5", MD5, token=other)[1] == 1
    assert check("check_transaction_by_md5", MD5)[1] == 17


@pytest.mark.parametrize(("scope", "error_code"), [("token", 1), ("all", 17)])
def test_what_counts_towards_the_quota(bakong: BakongSimulator, check: Check, scope: Any, error_code: Any) -> None:
    bakong.configure(daily_quota=1, quota_scope=scope)
    check("generate_deeplink_by_qr", {"qr": "x"})
    assert check("check_transaction_by_md5", MD5)[1] == error_code


def test_calls_are_logged_without_their_token_and_at_most_a_thousand(bakong: BakongSimulator, ask: Ask) -> None:
    for _ in range(1001):
        ask("check_transaction_by_md5", b'{"md5": "' + b"0" * 5000 + b'"}')
    assert len(bakong.requests) == 1000
    assert bakong.calls["check_transaction_by_md5"] == 1001
    last = bakong.requests[-1]
    assert (last.path, last.status, last.error_code, last.fault) == ("/v1/check_transaction_by_md5", 400, 5, None)
    assert len(last.body) == 4096
    assert "simulator" not in repr(last)
