# ruff: noqa: E501 - lists of odd values
"""Fuzz over answers: whatever Bakong, a proxy or an attacker answers, nothing is taken for this payment that isn't it.

2,000 answers in CI; `BAKONG_FUZZ_ANSWERS=100000` with `-m slow` for the long run.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bakong_khqr import KHQR, Currency, errors
from bakong_khqr.api import Response, Transaction, endpoints
from bakong_khqr.retry import RetryPolicy

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CREATED_MS = int(NOW.timestamp()) * 1000
ODD: list[Any] = [
    None, True, False, 0, 1, 2, -1, 17, 6, 15, 10**30, -(10**30), 0.01, 2.5, -2.5, float("nan"), float("inf"), 1e308, "", " ", "0", "1", "2.5",
    "2,5", "NaN", "USD", "KHR", "usd", "\u0000", "\ud800", "៛", "x" * 300, [], {}, [[]], {"a": {}}, [None], CREATED_MS, str(CREATED_MS),
    "SUCCESS", "NOT_FOUND", "SCANNED", "sokha@aclb", "Sokha@aclb", "thief@bank",
]  # fmt: skip
STATUSES = [200] * 50 + [201, 204, 301, 400, 401, 403, 404, 418, 429, 500, 502, 503, 504, 599]
HEADERS = [{}, {"retry-after": "1"}, {"retry-after": "-1"}, {"retry-after": "Mon, 99 Nov 2026"}, {"retry-after": "9" * 50},
           {"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, {"retry-after": "Mon, 01 Jan 0001 00:00:00 +2359"}]  # fmt: skip


def transaction(khqr: KHQR) -> dict[str, Any]:
    return {
        "hash": "0a1b2c3d" * 8, "fromAccountId": "demokhppxxx@demo", "toAccountId": khqr.bakong_account_id, "currency": "USD",
        "amount": 2.5, "description": None, "createdDateMs": CREATED_MS, "acknowledgedDateMs": CREATED_MS + 1000,
        "trackingStatus": None, "receiverBank": None, "receiverBankAccount": None, "instructionRef": None, "externalRef": "100FT1",
    }  # fmt: skip


def changed(value: Any, rng: random.Random, depth: int = 0) -> Any:
    """The value with something in it replaced, dropped or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        copy = dict(value)
        name = rng.choice(list(copy))
        match rng.randrange(5):
            case 0:
                del copy[name]
            case 1:
                copy[rng.choice(["status", "data", "transaction", "errorCode", name.upper()])] = copy.pop(name)
            case _:
                copy[name] = changed(copy[name], rng, depth + 1)
        return copy
    if isinstance(value, list) and value and rng.random() < 0.7:
        index = rng.randrange(len(value))
        return value[:index] + [changed(value[index], rng, depth + 1)] * rng.randrange(3) + value[index + 1 :]
    return rng.choice(ODD)


def bodies(khqr: KHQR, rng: random.Random) -> Iterator[bytes]:
    """Answers without end: true ones, changed ones, cut ones, flipped bytes, and noise."""
    paid = {"responseCode": 0, "responseMessage": "Success", "errorCode": None, "data": transaction(khqr)}
    item = {"md5": khqr.md5, "status": "SUCCESS", "message": "Transaction success", "data": transaction(khqr)}
    starts = [
        paid,
        {"responseCode": 1, "responseMessage": "Transaction could not be found.", "errorCode": 1, "data": None},
        {"responseCode": 1, "responseMessage": "Daily request limit of 100 exceeded.", "errorCode": 17, "data": None},
        paid | {"data": transaction(khqr) | {"toAccountId": "thief@bank"}},
        paid | {"data": transaction(khqr) | {"amount": 0.01, "currency": "KHR"}},
        paid | {"data": [item]},
        paid | {"data": [item, item | {"md5": "f" * 32}]},
    ]
    while True:
        document: Any = rng.choice(starts)
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3, 6])):
            document = changed(document, rng)
        body = bytearray(json.dumps(document).encode())
        match rng.randrange(12):
            case 0:
                del body[rng.randrange(len(body) + 1) :]
            case 1 | 2:
                for _ in range(rng.randrange(1, 4)):
                    if body:
                        body[rng.randrange(len(body))] = rng.randrange(256)
            case 3:
                body[rng.randrange(len(body) + 1) : 0] = rng.randbytes(4)
            case 4:
                body = bytearray(rng.randbytes(rng.randrange(200)))
            case 5:
                body = bytearray(rng.choice([b"[", b'{"a":', b"9", b'{"data":['])) * rng.randrange(3000)
        yield bytes(body)


def truly_paid(document: Any, khqr: KHQR, *, listed: bool) -> bool:
    """An oracle apart from the code: is there a plain success with exactly this payment in it?"""
    if type(document) is not dict or type(document.get("responseCode")) is not int or document["responseCode"] != 0:
        return False
    if document.get("errorCode") not in (None, 0) or isinstance(document.get("errorCode"), (bool, float)):
        return False
    found = document.get("data")
    if listed:
        items = (
            [item for item in found if isinstance(item, dict) and str(item.get("md5")).lower() == khqr.md5]
            if isinstance(found, list)
            else []
        )
        if not items or any(item != items[0] for item in items) or items[0].get("status") != "SUCCESS":
            return False
        found = items[0].get("data") or items[0].get("transaction") or items[0]
    if not isinstance(found, dict):
        return False
    amount = found.get("amount")
    return (
        found.get("toAccountId") == "sokha@aclb"
        and found.get("currency") == "USD"
        and not isinstance(amount, bool)
        and isinstance(amount, (int, float, str, Decimal))
        and str(amount) in {"2.5", "2.50"}
    )  # fmt: skip


def run(count: int, seed: int, khqr: KHQR, ask: Callable[[int, dict[str, str], bytes, bool], Any]) -> dict[str, int]:
    """Ask `count` times and check each outcome; returns how many there were of each kind."""
    rng = random.Random(seed)
    kinds: dict[str, int] = {}
    for _, body in zip(range(count), bodies(khqr, rng), strict=False):
        status, headers, listed = rng.choice(STATUSES), rng.choice(HEADERS), rng.random() < 0.3
        try:
            outcome = ask(status, headers, body, listed)
        except errors.BakongError as error:
            outcome = error
        kind = type(outcome).__name__
        if isinstance(outcome, Transaction):
            assert outcome.currency in Currency
            assert outcome.amount.is_finite()
            assert outcome.amount > 0
            if outcome.matches(khqr):
                kind = "paid"
                assert status == 200, body
                assert truly_paid(json.loads(body), khqr, listed=listed), body
        elif outcome is None:
            assert status == 200, body
            said = json.loads(body)
            codes = (said["responseCode"], said["errorCode"]) if not listed else None
            assert codes in ((1, 1), None), body
            assert listed is False or b"NOT_FOUND" in body, body
        else:
            assert isinstance(outcome, errors.BakongError)
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def reading(khqr: KHQR) -> Callable[[int, dict[str, str], bytes, bool], Any]:
    """The core alone: what both clients read answers with."""
    single, many = endpoints.transaction_by_md5(khqr.md5), endpoints.transactions_by_md5([khqr.md5])

    def ask(status: int, headers: dict[str, str], body: bytes, listed: bool) -> Any:
        response = Response(status=status, headers=headers, body=body, received_at=NOW)
        return many.read(response)[khqr.md5] if listed else single.read(response)

    return ask


def test_no_answer_is_taken_for_a_payment_that_it_is_not(khqr: KHQR) -> None:
    kinds = run(2000, 20261123, khqr, reading(khqr))
    # The run is worth its name only if all kinds came up.
    assert kinds["paid"] > 20
    assert kinds["NoneType"] > 20
    assert {
        "Transaction",
        "UnexpectedAnswer",
        "UnreadableTransaction",
        "QuotaExceeded",
        "Unauthorized",
        "Blocked",
    } <= kinds.keys()


@pytest.mark.slow
def test_no_answer_of_very_many_is_taken_for_a_payment_that_it_is_not(khqr: KHQR) -> None:
    count = int(os.environ.get("BAKONG_FUZZ_ANSWERS", "100000"))
    kinds = run(count, random.SystemRandom().randrange(2**32), khqr, reading(khqr))
    assert sum(kinds.values()) == count


def test_neither_client_takes_an_answer_for_a_payment_that_it_is_not(client_for: Any, khqr: KHQR) -> None:
    answer: list[httpx.Response] = []
    client = client_for(httpx.MockTransport(lambda _: answer.pop()), retry=RetryPolicy(attempts=1))

    def ask(status: int, headers: dict[str, str], body: bytes, listed: bool) -> Any:
        answer.append(httpx.Response(status, headers=headers, content=body))
        return client.transactions_by_md5([khqr.md5])[khqr.md5] if listed else client.transaction_by_md5(khqr.md5)

    kinds = run(300, 7, khqr, ask)
    assert kinds["paid"] > 5


def test_a_wait_never_returns_what_is_not_this_payment(client_for: Any, khqr: KHQR, clock: Any) -> None:
    rng = random.Random(11)
    stream = bodies(khqr, rng)
    seen: list[tuple[int, bytes]] = []

    def answer(_: httpx.Request) -> httpx.Response:
        seen.append((rng.choice(STATUSES), next(stream)))
        return httpx.Response(seen[-1][0], content=seen[-1][1])

    client = client_for(httpx.MockTransport(answer))
    returned = 0
    for _ in range(60):
        clock.now = NOW + timedelta(seconds=rng.randrange(900))
        try:
            transaction = client.wait_for_payment(khqr)
        except errors.BakongError:
            continue
        returned += 1
        status, body = seen[-1]
        assert status == 200
        assert truly_paid(json.loads(body), khqr, listed=False)
        assert transaction.matches(khqr)
    assert returned > 3
