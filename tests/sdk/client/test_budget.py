"""A budget of calls: counted before they are sent, by the day of Phnom Penh, shared by clients."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bakong_khqr import errors
from bakong_khqr.api import endpoints
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.calling.budget import DailyBudget, RequestBudget
from bakong_khqr.retry import RetryPolicy

MD5 = "0" * 32
ASKED = (1, "check_transaction_by_md5")
MIDNIGHT_IN_PHNOM_PENH = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def test_a_spent_budget_refuses_before_anything_is_sent(client_for: Any, scripted: Any, clock: Any) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    budget = DailyBudget(2, clock=clock)
    clients = [client_for(bakong, budget=budget), client_for(bakong, budget=budget)]
    for client in clients:
        client.transaction_by_md5(MD5)
    for client in clients:
        with pytest.raises(errors.QuotaExceeded, match="the budget of 2 calls a day is spent") as caught:
            client.transaction_by_md5(MD5)
        assert caught.value.retry_at == MIDNIGHT_IN_PHNOM_PENH
        assert caught.value.transient
    assert len(bakong.requests) == 2
    assert (budget.used, budget.remaining) == (2, 0)


def test_every_retry_costs_a_call(client_for: Any, scripted: Any, clock: Any) -> None:
    bakong, budget = scripted(scripted.UNAVAILABLE), DailyBudget(2, clock=clock)
    with pytest.raises(errors.QuotaExceeded):
        client_for(bakong, budget=budget, retry=RetryPolicy(attempts=5)).transaction_by_md5(MD5)
    assert len(bakong.requests) == 2


def test_what_sends_no_token_costs_nothing(client_for: Any, scripted: Any, khqr: Any) -> None:
    link = scripted.answered(200, 0, None, {"shortLink": "https://any.example/x", "token": "new"})
    client = client_for(scripted(link), budget=DailyBudget(0))
    client.generate_deeplink(khqr)
    client.renew_token("dev@example.test")
    client.account_exists("a@b")
    with pytest.raises(errors.QuotaExceeded):
        client.check_account("a@b")


def test_a_list_of_fifty_costs_one_call() -> None:
    assert endpoints.transactions_by_md5([f"{number:032x}" for number in range(50)]).cost == 1


def test_the_day_ends_at_midnight_in_phnom_penh(clock: Any) -> None:
    budget = DailyBudget(100, clock=clock)
    budget.spend(100, purpose="check")
    clock.now = MIDNIGHT_IN_PHNOM_PENH - timedelta(microseconds=1)
    assert budget.remaining == 0
    clock.now = MIDNIGHT_IN_PHNOM_PENH
    assert budget.remaining == 100
    budget.spend(1, purpose="check")
    assert budget.used == 1


def test_a_call_that_is_deferred_past_midnight_is_one_of_the_new_days(clock: Any) -> None:
    budget = DailyBudget(100, calls_per_second=0.1, clock=clock)
    clock.now = MIDNIGHT_IN_PHNOM_PENH - timedelta(minutes=10)
    turns = [clock.now + timedelta(seconds=budget.spend(1, purpose="check")) for _ in range(100)]
    assert sum(turn >= MIDNIGHT_IN_PHNOM_PENH for turn in turns) == 40
    assert budget.remaining == 40
    clock.now = turns[-1]
    assert budget.spend(0, purpose="check") == 0.0
    assert (budget.used, budget.remaining) == (40, 60)
    for _ in range(60):
        budget.spend(1, purpose="check")
    with pytest.raises(errors.QuotaExceeded) as caught:
        budget.spend(1, purpose="check")
    assert caught.value.retry_at == MIDNIGHT_IN_PHNOM_PENH + timedelta(days=1)


def test_a_day_to_come_that_is_full_already_refuses_until_it_is_over(clock: Any) -> None:
    budget = DailyBudget(2, calls_per_second=0.1, clock=clock)
    clock.now = MIDNIGHT_IN_PHNOM_PENH - timedelta(seconds=15)
    assert [budget.spend(1, purpose="check") for _ in range(4)] == [0.0, 10.0, 20.0, 30.0]
    for _ in range(2):  # and the refusal takes neither a call nor a place in the queue
        with pytest.raises(errors.QuotaExceeded) as caught:
            budget.spend(1, purpose="check")
        assert caught.value.retry_at == MIDNIGHT_IN_PHNOM_PENH + timedelta(days=1)


def test_a_clock_that_is_set_back_over_midnight_gives_no_call_twice(clock: Any) -> None:
    budget = DailyBudget(100, clock=clock)
    clock.now = MIDNIGHT_IN_PHNOM_PENH - timedelta(seconds=1)
    budget.spend(100, purpose="check")
    clock.now += timedelta(seconds=2)
    budget.spend(30, purpose="check")
    clock.now -= timedelta(seconds=2)
    assert budget.remaining == 0
    clock.now += timedelta(seconds=2)
    assert budget.remaining == 70


def test_a_refused_call_takes_nothing(clock: Any) -> None:
    budget = DailyBudget(3, clock=clock)
    with pytest.raises(errors.QuotaExceeded):
        budget.spend(4, purpose="check")
    assert budget.remaining == 3


def test_threads_share_a_budget_without_losing_count() -> None:
    budget = DailyBudget(1000)
    refused = []

    def spend() -> None:
        for _ in range(300):
            try:
                budget.spend(1, purpose="check")
            except errors.QuotaExceeded as error:
                refused.append(error)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.used == 1000
    assert len(refused) == 1400


def test_calls_a_second_are_spread_out_and_each_waits_its_turn(client_for: Any, scripted: Any, clock: Any) -> None:
    budget = DailyBudget(None, calls_per_second=4, clock=clock)
    client = client_for(scripted(scripted.NOT_FOUND), budget=budget)
    began = clock.now
    for _ in range(9):
        client.transaction_by_md5(MD5)
    assert clock.now - began == timedelta(seconds=2)
    clock.now += timedelta(hours=1)  # a quiet hour saves up no burst
    assert [budget.spend(1, purpose="check") for _ in range(3)] == pytest.approx([0, 0.25, 0.5], abs=1e-6)


@pytest.mark.anyio
async def test_no_second_gets_more_calls_than_it_may_when_they_were_held_up_together(scripted: Any, clock: Any) -> None:
    sent: list[datetime] = []
    sleepers: list[tuple[datetime, asyncio.Event]] = []

    def note(request: httpx.Request) -> httpx.Response:
        sent.append(clock.now)
        answer: httpx.Response = scripted.NOT_FOUND
        return answer

    async def sleep(seconds: float) -> None:
        woken = asyncio.Event()
        sleepers.append((clock.now + timedelta(seconds=seconds), woken))
        await woken.wait()

    budget = DailyBudget(None, calls_per_second=50, clock=clock)
    async with httpx.AsyncClient(transport=scripted(note).transport()) as http:
        client = AsyncBakongClient("a-token", http_client=http, budget=budget, clock=clock, sleep=sleep)
        calls = [asyncio.create_task(client.transaction_by_md5(MD5)) for _ in range(150)]
        while not all(call.done() for call in calls):
            for _ in range(20):  # let everybody run who can
                await asyncio.sleep(0)
            if not sleepers:
                continue
            clock.now = max(clock.now, min(due for due, _ in sleepers))
            if 60 <= len(sent) < 90:
                clock.now += timedelta(milliseconds=700)  # the whole process stands still, more than once
            for sleeper in [one for one in sleepers if one[0] <= clock.now]:
                sleepers.remove(sleeper)
                sleeper[1].set()
        busiest = max(sum(begin <= at < begin + timedelta(seconds=1) for at in sent) for begin in sent)
    assert len(sent) == 150
    assert busiest == 50
    assert sent[-1] - sent[0] < timedelta(seconds=30)


def test_a_call_that_was_deferred_asks_again_before_it_is_sent(client_for: Any, scripted: Any, clock: Any) -> None:
    class Hesitant:
        def __init__(self) -> None:
            self.answers = [0.5, 0.25, 0.0, None]
            self.asked: list[int] = []

        def spend(self, calls: int, *, purpose: str) -> float | None:
            self.asked.append(calls)
            return self.answers.pop(0)

    budget, bakong = Hesitant(), scripted(scripted.NOT_FOUND)
    client = client_for(bakong, budget=budget)
    client.transaction_by_md5(MD5)
    assert (budget.asked, clock.slept, len(bakong.requests)) == ([1, 0, 0], [0.5, 0.25], 1)
    client.transaction_by_md5(MD5)
    assert (budget.asked[3:], len(bakong.requests)) == ([1], 2)


def test_what_sends_no_token_counts_for_the_second_too(clock: Any) -> None:
    budget = DailyBudget(0, calls_per_second=4, clock=clock)
    assert [budget.spend(0, purpose="renew_token") for _ in range(6)] == [0.0, 0.0, 0.0, 0.0, 1.0, 1.25]


def test_a_call_every_other_second_is_a_rate_as_well(clock: Any) -> None:
    budget = DailyBudget(None, calls_per_second=0.5, clock=clock)
    assert [budget.spend(calls, purpose="check") for calls in (1, 0, 1)] == [0.0, 2.0, 2.0]
    clock.now += timedelta(seconds=2)
    assert budget.spend(0, purpose="check") == 0.0


def test_a_clock_that_is_set_back_holds_nobody_up(clock: Any) -> None:
    budget = DailyBudget(None, calls_per_second=4, clock=clock)
    for _ in range(3):
        budget.spend(1, purpose="check")
    clock.now -= timedelta(hours=1)
    assert budget.spend(1, purpose="check") == 0.0


@pytest.mark.parametrize("wrong", [{"limit": "5"}, {"limit": 1.5}, {"limit": True}, {"calls_per_second": "5"}])
def test_a_budget_of_no_number_is_a_type_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        DailyBudget(**wrong)


@pytest.mark.parametrize("wrong", [{"limit": -1}, {"limit": 1, "calls_per_second": 0}])
def test_an_impossible_budget_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=list(wrong)[-1]):
        DailyBudget(**wrong)


@pytest.mark.anyio
async def test_the_asynchronous_client_takes_a_budget_that_is_awaited(scripted: Any, clock: Any) -> None:
    asked: list[tuple[int, str]] = []

    class InADatabase:
        async def spend(self, calls: int, *, purpose: str) -> float | None:
            asked.append((calls, purpose))
            if len(asked) > 3:
                raise errors.QuotaExceeded("spent", retry_at=MIDNIGHT_IN_PHNOM_PENH)
            return 1.5 if asked == [ASKED, ASKED] else None

    bakong = scripted(scripted.NOT_FOUND)
    async with httpx.AsyncClient(transport=bakong.transport()) as http:
        client = AsyncBakongClient(
            "a-token", http_client=http, budget=InADatabase(), clock=clock, sleep=clock.async_sleep
        )
        await client.transaction_by_md5(MD5)
        await client.transaction_by_md5(MD5)
        with pytest.raises(errors.QuotaExceeded):
            await client.transaction_by_md5(MD5)
    assert asked == [ASKED, ASKED, (0, "check_transaction_by_md5"), ASKED]
    assert clock.slept == [1.5]


def test_a_budget_of_ones_own_need_only_fulfil_the_protocol(client_for: Any, scripted: Any) -> None:
    class Counting:
        def __init__(self) -> None:
            self.spent: list[str] = []

        def spend(self, calls: int, *, purpose: str) -> None:
            self.spent += [purpose] * calls

    counting = Counting()
    budget: RequestBudget = counting
    client_for(scripted(scripted.NOT_FOUND), budget=budget).transaction_by_md5(MD5)
    assert counting.spent == ["check_transaction_by_md5"]
