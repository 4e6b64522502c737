"""Asking for many payments at once: 50 a call, matched by key, and singly where the list is closed."""

import asyncio
import json
import logging
import threading
from typing import Any

import httpx
import pytest

from bakong_khqr import errors
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.calling.budget import DailyBudget
from bakong_khqr.client import BakongClient
from bakong_khqr.retry import RetryPolicy

KEYS = [f"{number:032x}" for number in range(1, 121)]


class Ledger:
    """A Bakong that knows some payments, answers lists in reverse order, and may have a closed list or a quota."""

    def __init__(
        self,
        paid: dict[str, dict[str, Any]],
        *,
        closed: bool = False,
        closes_after: int | None = None,
        quota: int | None = None,
    ) -> None:
        self.paid, self.closed, self.closes_after, self.quota = paid, closed, closes_after, quota
        self.asked: list[list[str]] = []
        self._lock = threading.Lock()

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        keys = body if isinstance(body, list) else [body["md5"]]
        if isinstance(body, list) and (self.closed or len(self.asked) == self.closes_after):
            self.closed = True
            return httpx.Response(403, html="<html>")
        with self._lock:
            self.asked.append(keys)
            if self.quota is not None and len(self.asked) > self.quota:
                return httpx.Response(200, json={"responseCode": 1, "errorCode": 17})
        if not isinstance(body, list):
            if keys[0] not in self.paid:
                return httpx.Response(200, json={"responseCode": 1, "errorCode": 1})
            return httpx.Response(200, json={"responseCode": 0, "data": self.paid[keys[0]]})
        items = [
            {"md5": key, "status": "SUCCESS", "data": self.paid[key]}
            if key in self.paid
            else {"md5": key, "status": "NOT_FOUND"}
            for key in reversed(keys)
        ]
        return httpx.Response(200, json={"responseCode": 0, "data": items})

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)


@pytest.fixture
def paid(scripted: Any) -> dict[str, dict[str, Any]]:
    """Every seventh key is paid, each by a transaction of its own."""
    return {key: scripted.TRANSACTION | {"hash": key * 2} for key in KEYS[::7]}


def outcome_of(outcomes: dict[str, Any]) -> dict[str, str | None]:
    return {key: outcome and outcome.hash for key, outcome in outcomes.items()}


def expected(paid: dict[str, dict[str, Any]], keys: list[str] = KEYS) -> dict[str, str | None]:
    return {key: key * 2 if key in paid else None for key in keys}


def test_any_number_of_keys_is_asked_50_at_a_time(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid)
    outcomes = client_for(ledger).transactions_by_md5(iter(KEYS))
    assert outcome_of(outcomes) == expected(paid)
    assert list(outcomes) == KEYS
    assert [len(keys) for keys in ledger.asked] == [50, 50, 20]


def test_no_keys_ask_nothing(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid)
    assert client_for(ledger).transactions_by_md5([]) == {}
    assert client_for(ledger).transactions_by_hash([]) == {}
    assert client_for(Ledger(paid, closed=True)).transactions_by_md5([], fallback="singles") == {}
    assert ledger.asked == []


def test_a_key_given_twice_is_asked_once_and_answered_as_it_is_spelt(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid)
    outcomes = client_for(ledger).transactions_by_md5(["AB" * 16, "AB" * 16, KEYS[0]])
    assert outcome_of(outcomes) == {"AB" * 16: None, KEYS[0]: KEYS[0] * 2}
    assert ledger.asked == [["ab" * 16, KEYS[0]]]


def test_an_error_before_any_answer_is_raised(client_for: Any, paid: Any) -> None:
    with pytest.raises(errors.QuotaExceeded):
        client_for(Ledger(paid, quota=0)).transactions_by_md5(KEYS)


def test_an_error_after_some_answers_loses_none_of_them(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid, quota=1)
    outcomes = client_for(ledger).transactions_by_md5(KEYS)
    assert outcome_of({key: outcomes[key] for key in KEYS[:50]}) == expected(paid, KEYS[:50])
    assert all(isinstance(outcomes[key], errors.QuotaExceeded) for key in KEYS[50:])
    assert list(outcomes) == KEYS
    assert len(ledger.asked) == 2


def test_where_the_list_is_closed_it_says_so(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid, closed=True)
    client = client_for(ledger)
    with pytest.raises(errors.Blocked):
        client.transactions_by_md5(KEYS)
    assert ledger.asked == []
    assert client.transaction_by_md5(KEYS[0]).hash == KEYS[0] * 2


def test_the_fallback_asks_singly_and_says_so(client_for: Any, paid: Any, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(paid, closed=True)
    with caplog.at_level(logging.WARNING, "bakong_khqr"):
        outcomes = client_for(ledger).transactions_by_md5(KEYS, fallback="singles")
    assert outcome_of(outcomes) == expected(paid)
    assert list(outcomes) == KEYS
    assert sorted(ledger.asked) == [[key] for key in KEYS]
    assert [record.getMessage() for record in caplog.records] == [
        "Bakong keeps its list of MD5s closed: asking 120 singly, 4 at a time"
    ]


def test_the_fallback_ends_with_the_budget_and_keeps_what_it_learned(client_for: Any, paid: Any, clock: Any) -> None:
    ledger = Ledger(paid, closed=True)
    budget = DailyBudget(31, clock=clock)
    outcomes = client_for(ledger, budget=budget).transactions_by_md5(KEYS, fallback="singles")
    assert len(ledger.asked) == 30  # the list that was refused cost one
    answered = {key for (key,) in ledger.asked}
    assert outcome_of({key: outcomes[key] for key in answered}) == expected(paid, sorted(answered))
    assert all(isinstance(outcomes[key], errors.QuotaExceeded) for key in KEYS if key not in answered)
    assert budget.remaining == 0


def test_bakongs_own_quota_ends_the_fallback_within_the_calls_under_way(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid, closed=True, quota=10)
    outcomes = client_for(ledger).transactions_by_md5(KEYS, fallback="singles")
    assert len(ledger.asked) <= 14
    assert sum(not isinstance(outcome, errors.BakongError) for outcome in outcomes.values()) == 10


def test_where_single_checks_are_blocked_too_the_fallback_says_blocked_after_one(
    client_for: Any, scripted: Any
) -> None:
    bakong = scripted(scripted.BLOCKED)
    with pytest.raises(errors.Blocked):
        client_for(bakong).transactions_by_md5(KEYS, fallback="singles")
    assert bakong.paths == ["check_transaction_by_md5_list", "check_transaction_by_md5"]


def test_in_the_fallback_one_keys_trouble_is_its_own(client_for: Any, scripted: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("_list"):
            return httpx.Response(403, html="<html>")
        md5 = json.loads(request.content)["md5"]
        code = {KEYS[0]: 3, KEYS[1]: 42}.get(md5, 1)
        return httpx.Response(200, json={"responseCode": 1, "errorCode": code})

    client = client_for(httpx.MockTransport(answer), retry=RetryPolicy(attempts=1))
    outcomes = client.transactions_by_md5(KEYS[:4], fallback="singles")
    assert [type(outcomes[key]) for key in KEYS[:4]] == [
        errors.TransactionFailed,
        errors.UnexpectedAnswer,
        type(None),
        type(None),
    ]


def test_where_the_list_closes_midway_the_fallback_asks_only_the_rest_singly(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid, closes_after=1)
    outcomes = client_for(ledger).transactions_by_md5(KEYS, fallback="singles")
    assert outcome_of(outcomes) == expected(paid)
    assert list(outcomes) == KEYS
    assert ledger.asked[0] == KEYS[:50]
    assert sorted(ledger.asked[1:]) == [[key] for key in KEYS[50:]]


def test_without_the_fallback_a_list_that_closes_midway_is_blocked_for_the_rest(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid, closes_after=1)
    outcomes = client_for(ledger).transactions_by_md5(KEYS)
    assert outcome_of({key: outcomes[key] for key in KEYS[:50]}) == expected(paid, KEYS[:50])
    assert all(isinstance(outcomes[key], errors.Blocked) for key in KEYS[50:])


def test_a_list_and_singles_that_close_midway_lose_no_answer(client_for: Any, paid: Any) -> None:
    ledger = Ledger(paid, closes_after=1, quota=1)
    outcomes = client_for(ledger).transactions_by_md5(KEYS, fallback="singles")
    assert outcome_of({key: outcomes[key] for key in KEYS[:50]}) == expected(paid, KEYS[:50])
    assert all(isinstance(outcomes[key], errors.QuotaExceeded) for key in KEYS[50:])
    assert list(outcomes) == KEYS
    assert len(ledger.asked) == 2


@pytest.mark.parametrize("fallback", [None, "singles"])
def test_every_answer_but_a_closed_list_is_the_callers(client_for: Any, scripted: Any, fallback: Any) -> None:
    bakong = scripted(scripted.UNAUTHORIZED)
    with pytest.raises(errors.Unauthorized):
        client_for(bakong).transactions_by_md5(KEYS, fallback=fallback)
    assert len(bakong.requests) == 1


NOT_FOUND = {"responseCode": 1, "errorCode": 1}


def test_single_checks_are_made_four_at_a_time_by_threads() -> None:
    """The first goes alone, to learn whether single checks work; then each of four waits until all four are there."""
    first, together = [KEYS[0]], threading.Barrier(4)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("_list"):
            return httpx.Response(403, html="<html>")
        if json.loads(request.content)["md5"] not in first:
            together.wait(timeout=10)
            assert together.n_waiting < 4
        return httpx.Response(200, json=NOT_FOUND)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        outcomes = BakongClient("a-token", http_client=http).transactions_by_md5(KEYS[:9], fallback="singles")
    assert outcomes == dict.fromkeys(KEYS[:9])


@pytest.mark.anyio
async def test_single_checks_are_made_four_at_a_time_by_tasks() -> None:
    under_way, most = 0, 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        if request.url.path.endswith("_list"):
            return httpx.Response(403, html="<html>")
        under_way += 1
        most = max(most, under_way)
        for _ in range(20):
            await asyncio.sleep(0)
        under_way -= 1
        return httpx.Response(200, json=NOT_FOUND)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        outcomes = await AsyncBakongClient("a-token", http_client=http).transactions_by_md5(
            KEYS[:9], fallback="singles"
        )
    assert outcomes == dict.fromkeys(KEYS[:9])
    assert most == 4
