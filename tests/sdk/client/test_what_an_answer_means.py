# ruff: noqa: E501 - a table reads best with a row on a line
"""One table: (HTTP status, headers, body) -> outcome, on both clients. Sections are of the reference of the Bakong Open API.

The sections: 3 envelope, 4 codes and statuses, 6 endpoints, 7 transaction, 9 quota, 11 what goes wrong, 12 relays, 13
disagreements.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import httpx
import pytest

from bakong_khqr import Currency, errors
from bakong_khqr.retry import RetryPolicy

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MIDNIGHT_IN_PHNOM_PENH = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
MD5 = "00112233445566778899aabbccddeeff"
HASH = "0a1b2c3d" * 8
TRANSACTION = {
    "hash": HASH,
    "fromAccountId": "demokhppxxx@demo",
    "toAccountId": "shop@bank",
    "currency": "USD",
    "amount": 1.5,
    "description": None,
    "createdDateMs": 1790000000000,
    "acknowledgedDateMs": 1790000001000,
    "trackingStatus": None,
    "receiverBank": None,
    "receiverBankAccount": None,
    "instructionRef": None,
    "externalRef": "100FT00000000000",
}
HTML = "<html><head><title>403 Forbidden</title></head><body><hr><center>nginx</center></body></html>"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjE3OTAwMDAwMDAsImV4cCI6MTc5Nzc3NjAwMH0.c2lnbmF0dXJl"


def said(response_code: Any, error_code: Any, data: Any = None, message: str = "a text") -> str:
    """An envelope's text."""
    return json.dumps(
        {"responseCode": response_code, "responseMessage": message, "errorCode": error_code, "data": data}
    )


def success(data: Any = TRANSACTION, message: str = "Success") -> str:
    """A success's text."""
    return said(0, None, data, message)


def paid(**changes: Any) -> str:
    """A paid single check's text, with members changed; `...` leaves one out."""
    return success({name: value for name, value in (TRANSACTION | changes).items() if value is not ...})


def raw(amount: str) -> str:
    """A paid single check with an amount that json.dumps can't write."""
    return success(TRANSACTION | {"amount": 0}).replace('"amount": 0', f'"amount": {amount}')


def item(**members: Any) -> str:
    """A list's answer of one item for the MD5."""
    return success([{"md5": MD5, "message": "a text"} | members])


@attrs.frozen
class Row:
    """What Bakong answers, and what that must mean."""

    name: str
    status: int
    body: str | bytes
    expected: Any
    """A value, a `BakongError` class, or (for a transaction) a dict of its attributes."""
    call: tuple[str, tuple[Any, ...]] = ("transaction_by_md5", (MD5,))
    headers: dict[str, str] = attrs.field(factory=dict)
    transient: bool | None = None
    retry_at: datetime | None = None


FULL = {
    "hash": HASH,
    "from_account_id": "demokhppxxx@demo",
    "to_account_id": "shop@bank",
    "currency": Currency.USD,
    "amount": Decimal("1.5"),
    "description": None,
    "created_at": datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC),
    "acknowledged_at": datetime(2026, 9, 21, 14, 13, 21, tzinfo=UTC),
    "tracking_status": None,
    "receiver_bank": None,
    "receiver_bank_account": None,
    "instruction_ref": None,
    "external_ref": "100FT00000000000",
}
LIST = ("transactions_by_md5", ([MD5],))
BY_HASH = ("transaction_by_hash", (HASH,))
SHORT_HASH = ("transaction_by_short_hash", (HASH[:8],))
INSTRUCTION_REF = ("transaction_by_instruction_ref", ("REF",))
EXTERNAL_REF = ("transaction_by_external_ref", ("REF",))
HASH_LIST = ("transactions_by_hash", ([HASH],))
LINK = ("generate_deeplink", ("KHQR",))
ACCOUNT = ("check_account", ("sokha@demo",))
EXISTS = ("account_exists", ("sokha@demo",))
RENEW = ("renew_token", ("dev@example.test",))
REQUEST = ("request_token", ("dev@example.test",))
VERIFY = ("verify_code", ("ABCDEFGHIJKLMNOPQRST",))
QUOTA_TEXT = "Daily request limit of 100 exceeded. Please try again tomorrow."
NOT_FOUND_TEXT = "Transaction could not be found. Please check and try again."

E = errors
QUOTA: dict[str, Any] = {"transient": True, "retry_at": MIDNIGHT_IN_PHNOM_PENH}

ROWS = [
    # 3: the envelope
    Row("paid, in words of the live service", 200, paid(), FULL),
    Row("paid, in words of the document (D1)", 200, success(message="Getting transaction successfully."), FULL),
    Row("paid, without errorCode, as the document's samples", 200, json.dumps({"responseCode": 0, "data": TRANSACTION}), FULL),
    Row("paid, keys in another order", 200, json.dumps({"data": TRANSACTION, "errorCode": None, "responseCode": 0}), FULL),
    Row("paid, with members nobody knows", 200, paid(respondedDateMs=1, another={"a": []}), FULL),
    Row("paid, errorCode 0", 200, said(0, 0, TRANSACTION), FULL),
    Row("paid and an error code at once", 200, said(0, 1, TRANSACTION), E.UnexpectedAnswer),
    Row("not found, and a transaction at once", 200, said(1, 1, TRANSACTION), E.UnexpectedAnswer),
    Row("responseCode as text", 200, said("0", None, TRANSACTION), E.UnexpectedAnswer),
    Row("responseCode true", 200, said(True, 1), E.UnexpectedAnswer),
    Row("responseCode 2", 200, said(2, None), E.UnexpectedAnswer),
    Row("errorCode as text", 200, said(1, "1"), E.UnexpectedAnswer),
    Row("success with an errorCode as text", 200, said(0, "17", TRANSACTION), E.UnexpectedAnswer),
    Row("errorCode 1.0", 200, '{"responseCode": 1, "errorCode": 1.0}', E.UnexpectedAnswer),
    Row("fail without errorCode", 200, said(1, None), E.UnexpectedAnswer),
    Row("an empty object", 200, "{}", E.UnexpectedAnswer),
    Row("a member given twice", 200, '{"responseCode": 1, "errorCode": 17, "errorCode": 1}', E.UnexpectedAnswer),
    # 4.1: documented codes
    Row("1: not found", 200, said(1, 1, None, NOT_FOUND_TEXT), None),
    Row("1: not found, data left out", 200, '{"responseCode": 1, "errorCode": 1}', None),
    Row("2: a static code", 200, said(1, 2), E.StaticQRNotSupported, transient=False),
    Row("3: failed", 200, said(1, 3, None, "Transaction failed."), E.TransactionFailed, transient=False),
    Row("4: the deep link's provider", 200, said(1, 4), E.ServerUnavailable, LINK, transient=True),
    Row("5: a field is missing", 200, said(1, 5), E.InvalidRequest, transient=False),
    Row("6: unauthorized at HTTP 200 (D23)", 200, said(1, 6), E.Unauthorized, transient=False),
    Row("7: mail server", 200, said(1, 7), E.ServerUnavailable, REQUEST),
    Row("8: registered already", 200, said(1, 8), E.InvalidRequest, REQUEST),
    Row("9: cannot connect to server", 200, said(1, 9), E.ServerUnavailable, transient=True),
    Row("10: not registered", 200, said(1, 10, None, "Not registered yet"), E.NotRegistered, RENEW, transient=False),
    Row("11: no such account", 200, said(1, 11, None, "Account ID not found"), None, ACCOUNT),
    Row("11 is no answer to a transaction check", 200, said(1, 11), E.UnexpectedAnswer),
    Row("1 is no answer to an account check", 200, said(1, 1), E.UnexpectedAnswer, ACCOUNT),
    Row("12: the account ID is invalid", 200, said(1, 12), E.InvalidRequest, ACCOUNT),
    # 4.2: codes in no document
    Row("15 at HTTP 200", 200, said(1, 15), E.ServerUnavailable, transient=True),
    Row("15 at HTTP 400", 400, said(1, 15), E.ServerUnavailable, transient=True),
    Row("17: the quota", 200, said(1, 17, None, QUOTA_TEXT), E.QuotaExceeded, **QUOTA),
    Row("the quota's text alone", 200, json.dumps({"responseCode": 1, "responseMessage": QUOTA_TEXT}), E.QuotaExceeded, **QUOTA),
    Row("the quota's text with the code of not found", 200, said(1, 1, None, QUOTA_TEXT), E.QuotaExceeded, **QUOTA),
    Row("the quota's text with the code of no account", 200, said(1, 11, None, QUOTA_TEXT), E.QuotaExceeded, ACCOUNT, **QUOTA),
    Row("17 at HTTP 429", 429, said(1, 17), E.QuotaExceeded, **QUOTA),
    *(Row(f"{code}: nobody knows it", 200, said(1, code), E.UnexpectedAnswer) for code in (13, 14, 16, 18, 99, 429, -1)),
    # 4.4: HTTP statuses
    Row("400 in JSON", 400, said(1, 5), E.InvalidRequest),
    Row("400 in HTML", 400, HTML, E.InvalidRequest),
    Row("401 in JSON", 401, said(1, 6), E.Unauthorized, transient=False),
    Row("401 in HTML", 401, HTML, E.Unauthorized),
    Row("401 that says not found", 401, said(1, 1), E.Unauthorized),
    Row("403 in HTML: country, firewall, closed path", 403, HTML, E.Blocked, transient=False),
    Row("403 empty", 403, "", E.Blocked),
    Row("403 in JSON", 403, said(1, 1), E.Blocked),
    Row("403 in JSON with code 6", 403, said(1, 6), E.Unauthorized),
    Row("404 in HTML", 404, HTML, E.InvalidRequest),
    Row("404 in JSON that says not found (D22)", 404, said(1, 1), E.InvalidRequest),
    Row("405", 405, "", E.InvalidRequest),
    Row("408", 408, "", E.ServerUnavailable),
    Row("429", 429, HTML, E.RateLimited, transient=True),
    Row("429, Retry-After in seconds", 429, "", E.RateLimited, headers={"Retry-After": "120"}, retry_at=NOW + timedelta(minutes=2)),
    Row(
        "429, Retry-After as a date", 429, "", E.RateLimited,
        headers={"Retry-After": "Mon, 23 Nov 2026 10:05:00 GMT"}, retry_at=NOW + timedelta(minutes=5),
    ),
    Row("429, Retry-After unreadable", 429, "", E.RateLimited, headers={"Retry-After": "soon"}),
    Row("500 in HTML", 500, HTML, E.ServerUnavailable, transient=True),
    Row("500 that says not found", 500, said(1, 1), E.ServerUnavailable),
    Row("500 that says paid", 500, paid(), E.ServerUnavailable),
    Row("502 empty", 502, "", E.ServerUnavailable),
    Row("503, Retry-After", 503, "", E.ServerUnavailable, headers={"Retry-After": "60"}, retry_at=NOW + timedelta(minutes=1)),
    Row("504", 504, HTML, E.ServerUnavailable),
    Row("201 that says paid", 201, paid(), E.UnexpectedAnswer),
    Row("204", 204, "", E.UnexpectedAnswer),
    Row("302", 302, "", E.UnexpectedAnswer, headers={"Location": "https://elsewhere.example/"}),
    # 6.1 to 6.6: tokens, deep links, accounts
    Row("a code is mailed", 200, success(None, "Email has been sent"), None, REQUEST),
    Row("a code is refused", 200, said(1, 6), E.Unauthorized, VERIFY),
    Row("a token is issued without text", 200, success({"token": ""}), E.UnexpectedAnswer, RENEW),
    Row("a token is issued as a number", 200, success({"token": 1}), E.UnexpectedAnswer, RENEW),
    Row("a token that no header can hold", 200, success({"token": "a b"}), E.UnexpectedAnswer, RENEW),
    Row("a refused renewal without JSON", 400, HTML, E.InvalidRequest, RENEW),
    Row("a deep link", 200, success({"shortLink": "https://bakong.page.link/AbC"}), "https://bakong.page.link/AbC", LINK),
    Row("a deep link of another domain", 200, success({"shortLink": "https://x.example/1"}), "https://x.example/1", LINK),
    Row("a deep link that is a script", 200, success({"shortLink": "javascript:alert(1)"}), E.UnexpectedAnswer, LINK),
    Row("a deep link that is null", 200, success(None), E.UnexpectedAnswer, LINK),
    Row("an account, data null", 200, success(None), {"account_id": "sokha@demo", "can_receive": None}, ACCOUNT),
    Row(
        "an account, with details (D3)", 200,
        success({"accountStatus": "ACTIVATED", "kycStatus": "FULL_KYC", "canReceive": True, "frozen": False, "x": 1}),
        {"account_status": "ACTIVATED", "kyc_status": "FULL_KYC", "can_receive": True, "frozen": False}, ACCOUNT,
    ),
    Row("an account whose canReceive is text", 200, success({"canReceive": "yes"}), E.UnexpectedAnswer, ACCOUNT),
    Row("an account exists", 200, success(None, "Account ID exists"), True, EXISTS),
    Row("an account doesn't", 200, said(1, 11), False, EXISTS),
    Row("whether it exists isn't known", 200, said(1, 9), E.ServerUnavailable, EXISTS),
    # 6.8: by hash
    Row("the payment of another hash", 200, paid(hash="f" * 64), E.UnexpectedAnswer, BY_HASH),
    Row("the payment of this hash", 200, paid(), FULL, BY_HASH),
    Row("the payment of this short hash, amount and currency", 200, paid(), FULL, SHORT_HASH),
    Row("the payment of this short hash in capitals", 200, paid(hash=HASH.upper(), amount="1.50"), {"hash": HASH.upper()}, SHORT_HASH),
    Row("the payment of another short hash", 200, paid(hash="f" * 64), E.UnexpectedAnswer, SHORT_HASH),
    Row("the payment of another amount", 200, paid(amount=99), E.UnexpectedAnswer, SHORT_HASH),
    Row("the payment of another currency", 200, paid(currency="KHR"), E.UnexpectedAnswer, SHORT_HASH),
    *(
        row
        for call, member, attribute in (
            (INSTRUCTION_REF, "instructionRef", "instruction_ref"), (EXTERNAL_REF, "externalRef", "external_ref"),
        )
        for row in (
            Row(f"the payment of this {member}", 200, paid(**{member: "REF"}), {attribute: "REF"}, call),
            Row(f"the payment that leaves its {member} out", 200, paid(**{member: None}), {attribute: None}, call),
            Row(f"the payment of another {member}", 200, paid(**{member: "OTHER"}), E.UnexpectedAnswer, call),
        )
    ),
    # 6.12 and 6.13: lists, of which the one key's outcome is looked at
    Row("item paid, under data", 200, item(status="SUCCESS", data=TRANSACTION), FULL, LIST),
    Row("item paid, under transaction (D6)", 200, item(status="SUCCESS", transaction=TRANSACTION), FULL, LIST),
    Row("item paid, inline (D6)", 200, item(**TRANSACTION, status="SUCCESS"), FULL, LIST),
    Row("item paid, key in capitals", 200, success([{"md5": MD5.upper(), "status": "SUCCESS", "data": TRANSACTION}]), FULL, LIST),
    Row("item paid, without data", 200, item(status="SUCCESS", data=None), E.UnreadableTransaction, LIST),
    Row("item not found", 200, item(status="NOT_FOUND", data=None), None, LIST),
    Row("item not found, with a transaction", 200, item(status="NOT_FOUND", data=TRANSACTION), E.UnexpectedAnswer, LIST),
    Row("item not found, with a transaction inline", 200, item(**TRANSACTION, status="NOT_FOUND"), E.UnexpectedAnswer, LIST),
    Row(
        "item not found, data null and an amount inline", 200, item(status="NOT_FOUND", data=None, amount=99), E.UnexpectedAnswer,
        LIST,
    ),
    Row("item not found, with empty members", 200, item(status="NOT_FOUND", amount=None, toAccountId="", currency=None), None, LIST),
    Row("hash item not found", 200, success([{"hash": HASH, "status": "NOT_FOUND"}]), None, HASH_LIST),
    Row(
        "hash item not found, with a transaction inline", 200, success([TRANSACTION | {"status": "NOT_FOUND"}]), E.UnexpectedAnswer,
        HASH_LIST,
    ),
    Row("item static", 200, item(status="STATIC_QR", data=None), E.StaticQRNotSupported, LIST),
    Row("item SERVICE_FAILED", 200, item(status="SERVICE_FAILED"), E.ServerUnavailable, LIST),
    Row("item FAILED", 200, item(status="FAILED"), E.TransactionFailed, LIST),
    Row("item of an unknown status", 200, item(status="PROCESSING"), E.UnexpectedAnswer, LIST),
    Row("item without status", 200, item(), E.UnexpectedAnswer, LIST),
    Row("item of a relay's status", 200, item(status="PAID", data=TRANSACTION), E.UnexpectedAnswer, LIST),
    Row("no item", 200, success([]), E.UnexpectedAnswer, LIST),
    Row("an item for another key only", 200, success([{"md5": "f" * 32, "status": "NOT_FOUND"}]), E.UnexpectedAnswer, LIST),
    Row("an item without a key", 200, success([{"status": "SUCCESS", "data": TRANSACTION}]), E.UnexpectedAnswer, LIST),
    Row(
        "two different items", 200,
        success([{"md5": MD5, "status": "NOT_FOUND"}, {"md5": MD5, "status": "SUCCESS", "data": TRANSACTION}]),
        E.UnexpectedAnswer, LIST,
    ),
    Row("a list that is an object", 200, success({"md5": MD5}), E.UnexpectedAnswer, LIST),
    Row("a list that is null", 200, success(None), E.UnexpectedAnswer, LIST),
    Row("the list says not found", 200, said(1, 1), E.UnexpectedAnswer, LIST),
    Row("the list is closed (D5)", 403, HTML, E.Blocked, LIST),
    Row("hash item paid", 200, success([{"hash": HASH, "status": "SUCCESS", "data": TRANSACTION}]), FULL, HASH_LIST),
    Row("hash item paid, inline", 200, success([TRANSACTION | {"status": "SUCCESS"}]), FULL, HASH_LIST),
    Row(
        "hash item with another's payment", 200,
        success([{"hash": HASH, "status": "SUCCESS", "data": TRANSACTION | {"hash": "f" * 64}}]), E.UnexpectedAnswer, HASH_LIST,
    ),
    # 7 and 13: the transaction
    Row("paid, data null", 200, success(None), E.UnreadableTransaction),
    Row("paid, data empty", 200, success({}), E.UnreadableTransaction),
    Row("paid, data an array", 200, success([TRANSACTION]), E.UnreadableTransaction),
    Row("paid, data text", 200, success("paid"), E.UnreadableTransaction),
    Row("amount as text (D13)", 200, paid(amount="1.50"), {"amount": Decimal("1.50")}),
    Row("amount whole", 200, paid(amount=2), {"amount": Decimal(2)}),
    Row("amount as written, not as a float", 200, raw("0.10"), {"amount": Decimal("0.10")}),
    Row("amount with an exponent", 200, raw("1.5e3"), {"amount": Decimal(1500)}),
    Row("amount of 13 characters", 200, raw("9999999999.99"), {"amount": Decimal("9999999999.99")}),
    *(
        Row(f"amount {amount[:24]}", 200, raw(amount), E.UnreadableTransaction)
        for amount in (
            "0", "-1.5", "0.00", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "1e99999999999999999999", "99999999999999",
            "9" * 5000, "1.234567890123", "null", "true", '"1,50"', '"1.5 USD"', '"-1"', '"+1"', '"NaN"', '"\\u0661"', '"1e3"',
            '""', "[1.5]", "{}", '1.5, "amount": 1.5',
        )
    ),
    Row("currency missing", 200, paid(currency=...), E.UnreadableTransaction),
    Row("currency unknown", 200, paid(currency="THB"), E.UnreadableTransaction),
    Row("currency by number", 200, paid(currency=840), E.UnreadableTransaction),
    Row("receiver missing", 200, paid(toAccountId=...), E.UnreadableTransaction),
    Row("receiver empty", 200, paid(toAccountId=" "), E.UnreadableTransaction),
    Row("hash missing", 200, paid(hash=...), E.UnreadableTransaction),
    Row("hash a number", 200, paid(hash=1), E.UnreadableTransaction),
    Row("half a character", 200, paid(description="\ud800"), E.UnreadableTransaction),
    Row(
        "only the fields of the document of 2021 (D15)", 200,
        success({name: TRANSACTION[name] for name in ("hash", "fromAccountId", "toAccountId", "currency", "amount", "description")}),
        {"created_at": None, "acknowledged_at": None, "tracking_status": None, "amount": Decimal("1.5")},
    ),
    Row("payer missing", 200, paid(fromAccountId=...), {"from_account_id": None}),
    Row("dates as fractions", 200, paid(createdDateMs=1790000000000.75), {"created_at": FULL["created_at"]}),
    Row(
        "dates in the second spelling (D14)", 200,
        paid(createdDateMs=..., acknowledgedDateMs=..., createDateMs=1790000000000, acknowledgeDateMs=1790000001000),
        {"created_at": FULL["created_at"], "acknowledged_at": FULL["acknowledged_at"]},
    ),
    Row("a date as text", 200, paid(createdDateMs="1790000000000"), E.UnreadableTransaction),
    Row("a date before 1970", 200, paid(createdDateMs=-1), E.UnreadableTransaction),
    Row("a date that is NaN", 200, paid(createdDateMs=float("nan")), E.UnreadableTransaction),
    Row("a date beyond the calendar", 200, paid(acknowledgedDateMs=10**18), E.UnreadableTransaction),
    Row("a tracking status", 200, paid(trackingStatus="RECEIVE_AT_RECEIVER_BANK"), {"tracking_status": "RECEIVE_AT_RECEIVER_BANK"}),
    # 11: what goes wrong
    Row("HTML at 200", 200, HTML, E.UnexpectedAnswer),
    Row("nothing at 200", 200, "", E.UnexpectedAnswer),
    Row("half a document", 200, paid()[:-40], E.UnexpectedAnswer),
    Row("not UTF-8", 200, b"\xff\xfe" + paid().encode(), E.UnexpectedAnswer),
    Row("an array at 200", 200, "[]", E.UnexpectedAnswer),
    Row("null at 200", 200, "null", E.UnexpectedAnswer),
    Row("nested without end", 200, "[" * 200_000, E.UnexpectedAnswer),
    Row("longer than 1 MiB", 200, paid(x="x" * (1024 * 1024)), E.UnexpectedAnswer),
    # 12: a relay's answers are errors
    Row("relay: unpaid at 404", 404, said(1, 1, {"status": "UNPAID"}), E.InvalidRequest),
    Row("relay: unpaid at 400 with code 3", 400, said(1, 3), E.InvalidRequest),
    Row("relay: scanned, with success", 200, success({"status": "SCANNED"}), E.UnreadableTransaction),
    Row("relay: scanned, with everything", 200, paid(status="SCANNED"), E.UnreadableTransaction),
    Row("relay: scanned, as tracking status", 200, paid(trackingStatus="SCANNED"), E.UnreadableTransaction),
    Row("relay: expired, as tracking status", 200, paid(trackingStatus="EXPIRED"), E.UnreadableTransaction),
    *(
        Row(f"relay: {state!r}, as tracking status", 200, paid(trackingStatus=state), E.UnreadableTransaction)
        for state in ("scanned", " SCANNED", "Unpaid ", "pending", "expired\n")
    ),
    Row("relay: paid, by its own status", 200, paid(status="PAID"), E.UnreadableTransaction),
    Row("relay: maintenance", 503, said(1, 99), E.ServerUnavailable),
    Row("relay: over its limit", 429, said(1, 429), E.RateLimited),
    Row("relay: validation at 422", 422, said(1, 14), E.InvalidRequest),
]  # fmt: skip


def test_the_table_names_each_row_once_and_is_long_enough() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert len(names) >= 60


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_answer_means_what_the_table_says(row: Row, client_for: Any, khqr: Any) -> None:
    content = row.body if isinstance(row.body, bytes) else row.body.encode("utf-8", "surrogatepass")
    transport = httpx.MockTransport(lambda _: httpx.Response(row.status, headers=row.headers, content=content))
    client = client_for(transport, retry=RetryPolicy(attempts=1))
    method, arguments = row.call
    arguments = tuple(khqr if argument == "KHQR" else argument for argument in arguments)
    options = {
        "request_token": {"organization": "Example Co", "project": "Shop"},
        "transaction_by_short_hash": {"amount": "1.5", "currency": "USD"},
    }.get(method, {})
    try:
        outcome = getattr(client, method)(*arguments, **options)
    except errors.BakongError as error:
        outcome = error
    if row.call in (LIST, HASH_LIST) and isinstance(outcome, dict):
        (outcome,) = outcome.values()
    if isinstance(row.expected, type):
        assert type(outcome) is row.expected, outcome
        assert isinstance(outcome, errors.BakongError)
        if row.transient is not None:
            assert outcome.transient is row.transient
        assert outcome.retry_at == row.retry_at
        if isinstance(outcome, errors.UnreadableTransaction):
            assert outcome.body == content
            assert HASH not in str(outcome) + repr(outcome)
    elif isinstance(row.expected, dict):
        assert {name: getattr(outcome, name) for name in row.expected} == row.expected
    else:
        assert (str(outcome) if isinstance(row.expected, str) else outcome) == row.expected


@pytest.mark.parametrize("method", ["verify_code", "renew_token"])
def test_an_issued_token_is_read_with_its_dates_and_used_from_then_on(client_for: Any, method: str) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, text=said(1, 1) if "check" in request.url.path else success({"token": JWT}))

    client = client_for(httpx.MockTransport(answer))
    token = getattr(client, method)("ABCDEFGHIJKLMNOPQRST" if method == "verify_code" else "dev@example.test")
    assert token.reveal() == JWT
    assert token.issued_at == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    assert token.expires_at - token.issued_at == timedelta(days=90)
    client.transaction_by_md5(MD5)
    assert "Authorization" not in sent[0].headers
    assert sent[1].headers["Authorization"] == f"Bearer {JWT}"
