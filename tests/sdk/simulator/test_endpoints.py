"""What each of the thirteen endpoints says."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bakong_khqr.testing import BakongSimulator, SimulatorResponse

Check = Callable[..., tuple[int, int | None, Any]]
Ask = Callable[..., SimulatorResponse]
Build = Callable[..., str]

UNKNOWN_MD5 = "0" * 32


def test_a_paid_code_is_found_by_its_md5_with_all_thirteen_members(
    bakong: BakongSimulator, ask: Ask, payload: str
) -> None:
    payment = bakong.pay(payload)
    answer = json.loads(ask("check_transaction_by_md5", {"md5": payment.md5}).body)
    assert answer == {
        "responseCode": 0,
        "responseMessage": "Success",
        "errorCode": None,
        "data": {
            "hash": payment.hash,
            "fromAccountId": "demokhppxxx@demo",
            "toAccountId": "sokha@aclb",
            "currency": "USD",
            "amount": 2.5,
            "description": None,
            "createdDateMs": 1795435200000,
            "acknowledgedDateMs": 1795435201000,
            "trackingStatus": None,
            "receiverBank": None,
            "receiverBankAccount": None,
            "instructionRef": None,
            "externalRef": payment.external_ref,
        },
    }
    assert len(payment.hash) == 64
    assert payment.external_ref is not None
    assert payment.external_ref.startswith("100FT")
    assert len(payment.external_ref) == 16


def test_not_found_is_http_200_with_error_code_1(ask: Ask) -> None:
    answer = ask("check_transaction_by_md5", {"md5": UNKNOWN_MD5})
    assert answer.status == 200
    assert answer.json() == {
        "responseCode": 1,
        "responseMessage": "Transaction could not be found. Please check and try again.",
        "errorCode": 1,
        "data": None,
    }


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("2.50", "2.5"),
        ("1", "1"),
        ("10000", "10000"),
        ("1E+4", "10000"),
        ("0.01", "0.01"),
        ("99999999.99", "99999999.99"),
    ],
)
def test_an_amount_is_the_shortest_json_number(
    bakong: BakongSimulator, ask: Ask, payload: str, amount: Any, written: Any
) -> None:
    payment = bakong.pay(payload, amount=Decimal(amount))
    assert f'"amount":{written},' in ask("check_transaction_by_md5", {"md5": payment.md5}).body.decode()


def test_amounts_as_text_where_the_switch_says_so(bakong: BakongSimulator, check: Check, payload: str) -> None:
    bakong.configure(amount_as_text=True)
    payment = bakong.pay(payload)
    assert check("check_transaction_by_md5", {"md5": payment.md5})[2]["amount"] == "2.5"


def test_every_reference_finds_the_payment(bakong: BakongSimulator, check: Check, payload: str) -> None:
    payment = bakong.pay(payload, instruction_ref="INS-1", external_ref="EXT-1")
    for endpoint, body in [
        ("check_transaction_by_md5", {"md5": payment.md5}),
        ("check_transaction_by_hash", {"hash": payment.hash}),
        ("check_transaction_by_short_hash", {"hash": payment.hash[:8], "amount": 2.5, "currency": "USD"}),
        ("check_transaction_by_short_hash", {"hash": payment.hash[:8], "amount": "2.50", "currency": "USD"}),
        ("check_transaction_by_instruction_ref", {"instructionRef": "INS-1"}),
        ("check_transaction_by_external_ref", {"externalRef": "EXT-1"}),
    ]:
        status, error_code, data = check(endpoint, json.dumps(body).encode())
        assert (status, error_code, data["hash"]) == (200, None, payment.hash), endpoint


@pytest.mark.parametrize(("amount", "currency"), [("2.51", "USD"), ("2.50", "KHR")])
def test_a_short_hash_with_another_amount_or_currency_finds_nothing(
    bakong: BakongSimulator, check: Check, payload: str, amount: Any, currency: Any
) -> None:
    payment = bakong.pay(payload)
    body = {"hash": payment.hash[:8], "amount": Decimal(amount), "currency": currency}
    assert check("check_transaction_by_short_hash", body) == (200, 1, None)


def test_a_failed_payment_is_error_code_3_until_the_code_is_paid(
    bakong: BakongSimulator, check: Check, payload: str
) -> None:
    failed = bakong.fail(payload)
    assert check("check_transaction_by_md5", {"md5": failed.md5}) == (200, 3, None)
    assert check("check_transaction_by_hash", {"hash": failed.hash}) == (200, 3, None)
    paid = bakong.pay(payload)
    assert check("check_transaction_by_md5", {"md5": failed.md5})[2]["hash"] == paid.hash
    assert check("check_transaction_by_hash", {"hash": failed.hash}) == (200, 3, None)


def test_the_older_guide_s_code_of_a_failure_can_be_chosen(bakong: BakongSimulator, check: Check, payload: str) -> None:
    bakong.configure(failed_error_code=1)
    assert check("check_transaction_by_md5", {"md5": bakong.fail(payload).md5}) == (200, 1, None)


@pytest.mark.parametrize(
    ("answer", "error_code", "status"),
    [("not_found", 1, "STATIC_QR"), ("not_supported", 2, "STATIC_QR"), ("tracked", None, "SUCCESS")],
)
def test_a_static_code_s_md5(
    bakong: BakongSimulator,
    check: Check,
    build: Build,
    answer: Any,
    error_code: Any,
    status: int,
) -> None:
    bakong.configure(static_qr=answer)
    payment = bakong.pay(build(static=True, amount=None), amount=1)
    assert check("check_transaction_by_md5", {"md5": payment.md5})[:2] == (200, error_code)
    assert check("check_transaction_by_md5_list", [payment.md5])[2][0]["status"] == status
    assert check("check_transaction_by_hash", {"hash": payment.hash})[2]["hash"] == payment.hash


@pytest.mark.parametrize(("shows", "place"), [("first", 0), ("last", 1)])
def test_a_code_paid_twice_shows_one_payment_by_md5_and_both_by_hash(
    bakong: BakongSimulator, check: Check, payload: str, shows: str, place: int
) -> None:
    bakong.configure(duplicate_shows=shows)
    payments = [bakong.pay(payload), bakong.pay(payload)]
    assert check("check_transaction_by_md5", {"md5": payments[0].md5})[2]["hash"] == payments[place].hash
    for payment in payments:
        assert check("check_transaction_by_hash", {"hash": payment.hash})[2]["hash"] == payment.hash


def test_a_list_answers_every_key_in_order_and_echoes_it(bakong: BakongSimulator, ask: Ask, build: Build) -> None:
    paid, failed = bakong.pay(build()), bakong.fail(build(amount="3"))
    keys = [UNKNOWN_MD5, paid.md5, failed.md5, paid.md5]
    answer = ask("check_transaction_by_md5_list", keys).json()
    assert answer["responseCode"] == 0
    assert answer["responseMessage"] == "Getting transaction data successfully."
    assert [item["md5"] for item in answer["data"]] == keys
    assert [item["status"] for item in answer["data"]] == ["NOT_FOUND", "SUCCESS", "NOT_FOUND", "SUCCESS"]
    assert answer["data"][1]["data"]["hash"] == paid.hash
    assert answer["data"][0]["data"] is None
    by_hash = ask("check_transaction_by_hash_list", [paid.hash, failed.hash, "f" * 64]).json()["data"]
    assert [item["status"] for item in by_hash] == ["SUCCESS", "FAILED", "NOT_FOUND"]
    assert by_hash[0]["hash"] == paid.hash


def test_an_item_s_status_can_be_anything(bakong: BakongSimulator, check: Check, payload: str) -> None:
    payment = bakong.pay(payload)
    bakong.item_statuses[payment.hash] = "SERVICE_FAILED"
    item = check("check_transaction_by_hash_list", [payment.hash])[2][0]
    assert (item["status"], item["data"]) == ("SERVICE_FAILED", None)


@pytest.mark.parametrize("key", ["data", "transaction", "inline"])
def test_where_a_list_item_holds_its_transaction(bakong: BakongSimulator, check: Check, payload: str, key: Any) -> None:
    bakong.configure(list_payload_key=key)
    payment = bakong.pay(payload)
    item = check("check_transaction_by_md5_list", [payment.md5])[2][0]
    assert (item if key == "inline" else item[key])["toAccountId"] == "sokha@aclb"
    assert (item["md5"], item["status"]) == (payment.md5, "SUCCESS")


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("check_transaction_by_md5", b""),
        ("check_transaction_by_md5", b"not json"),
        ("check_transaction_by_md5", b"[" * 100_000),
        ("check_transaction_by_md5", b'{"md5": NaN}'),
        ("check_transaction_by_md5", b"\xff"),
        ("check_transaction_by_md5", {}),
        ("check_transaction_by_md5", {"md5": None}),
        ("check_transaction_by_md5", {"md5": ""}),
        ("check_transaction_by_md5", {"md5": "0" * 256}),
        ("check_transaction_by_md5", {"hash": UNKNOWN_MD5}),
        ("check_transaction_by_md5", [UNKNOWN_MD5]),
        ("check_transaction_by_short_hash", {"hash": "0a1b2c3d"}),
        ("check_transaction_by_short_hash", {"hash": "0a1b2c3", "amount": 1, "currency": "USD"}),
        ("check_transaction_by_short_hash", {"hash": "0a1b2c3d", "amount": True, "currency": "USD"}),
        ("check_transaction_by_short_hash", {"hash": "0a1b2c3d", "amount": "much", "currency": "USD"}),
        ("check_transaction_by_short_hash", {"hash": "0a1b2c3d", "amount": "sNaN", "currency": "USD"}),
        ("check_transaction_by_instruction_ref", {"instruction_ref": "x"}),
        ("check_transaction_by_external_ref", {}),
        ("check_transaction_by_md5_list", []),
        ("check_transaction_by_md5_list", ["x"] * 51),
        ("check_transaction_by_md5_list", {"md5List": [UNKNOWN_MD5]}),
        ("check_transaction_by_md5_list", [1]),
        ("check_transaction_by_hash_list", [""]),
        ("generate_deeplink_by_qr", {}),
        ("generate_deeplink_by_qr", {"qr": "x", "sourceInfo": {"appName": "Shop"}}),
        ("generate_deeplink_by_qr", {"qr": "x", "sourceInfo": "Shop"}),
        ("check_bakong_account", {"bakongAccountID": "a@b"}),
        ("request_token", {"email": "a@b.c"}),
        ("request_token", {"email": "a" * 31, "organization": "x", "project": "y"}),
        ("verify", {"code": "short"}),
        ("renew_token", {}),
    ],
)
def test_a_body_without_what_is_needed_is_error_code_5(ask: Ask, endpoint: str, body: Any) -> None:
    answer = ask(endpoint, body)
    assert (answer.status, answer.error_code) == (400, 5)
    assert answer.json()["responseMessage"] == "Missing required fields."


def test_fifty_keys_are_taken(check: Check) -> None:
    assert len(check("check_transaction_by_md5_list", [UNKNOWN_MD5] * 50)[2]) == 50


def test_each_deep_link_is_new_and_ends_in_17_characters(bakong: BakongSimulator, ask: Ask, payload: str) -> None:
    source = {"appIconUrl": "https://shop.example/i.png", "appName": "Shop", "appDeepLinkCallback": "shop://paid"}
    links = [ask("generate_deeplink_by_qr", {"qr": payload, "sourceInfo": source}, token=None).json() for _ in range(2)]
    assert links[0]["responseMessage"] == "Getting deep link successfully"
    first, second = (link["data"]["shortLink"] for link in links)
    assert first != second
    assert first.startswith("https://bakong.page.link/")
    assert len(first.removeprefix("https://bakong.page.link/")) == 17


def test_a_code_seen_in_a_deep_link_can_be_paid_by_its_md5(bakong: BakongSimulator, ask: Ask, payload: str) -> None:
    ask("generate_deeplink_by_qr", {"qr": payload})
    md5 = bakong.remember(payload).md5
    assert bakong.pay(md5).to_account_id == "sokha@aclb"


@pytest.mark.parametrize("endpoint", ["check_bakong_account", "check_account_exist"])
@pytest.mark.parametrize(
    ("account_id", "error_code"),
    [
        ("sokha@demo", None),
        ("gone@demo", 11),
        ("sokha", 12),
        ("a@b@c", 12),
        ("@demo", 12),
        ("sokha@", 12),
        ("a" * 28 + "@demo", 12),
    ],
)
def test_an_account_exists_or_not_or_is_no_account_id(
    bakong: BakongSimulator,
    check: Check,
    endpoint: str,
    account_id: str,
    error_code: Any,
) -> None:
    bakong.accounts.remove("gone@demo")
    assert check(endpoint, {"accountId": account_id}, token=None)[:2] == (200, error_code)


def test_a_found_account_is_described_unless_the_switch_says_not(bakong: BakongSimulator, check: Check) -> None:
    bakong.accounts.add("sokha@demo", full_name="Sokha Chan", frozen=True)
    assert check("check_bakong_account", {"accountId": "sokha@demo"})[2] == {
        "fullName": "Sokha Chan",
        "accountStatus": "ACTIVATED",
        "kycStatus": "FULL_KYC",
        "canReceive": True,
        "frozen": True,
    }
    bakong.configure(account_details=False)
    assert check("check_bakong_account", {"accountId": "sokha@demo"}) == (200, None, None)


def test_only_added_accounts_exist_where_the_switch_says_so(check: Check, bakong: BakongSimulator) -> None:
    bakong.configure(any_account_exists=False)
    assert check("check_bakong_account", {"accountId": "sokha@demo"})[1] == 11
    bakong.accounts.add("sokha@demo")
    assert check("check_bakong_account", {"accountId": "sokha@demo"})[1] is None


def test_a_simulator_s_repr_shows_no_token() -> None:
    assert "planted-secret" not in repr(BakongSimulator(token="planted-secret"))
