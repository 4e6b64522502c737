"""How the watcher asks Bakong: in lists, singly, sparingly, or not at all; and what it makes of every outage."""

import json
from datetime import timedelta
from typing import Any

import pytest

from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import Flag, PaymentStatus
from bakong_service.domain.watching import Mode
from bakong_service.storage.bakong import access, budget
from bakong_service.workers.budget import BudgetSpent, DatabaseBudget
from kit.scene import Scene
from kit.there import there

pytestmark = pytest.mark.anyio
S = PaymentStatus
LIST, SINGLE = "md5_list", "by_md5"


async def test_the_open_list_is_asked_fifty_at_a_time(scene: Scene) -> None:
    made = [await scene.till.create() for _ in range(120)]
    scene.pay(made[7])
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.calls(LIST) == 3
    assert scene.watcher.counts == {"not_found": 119, "found": 1}
    assert [(await scene.till.payment(payment)).status for payment in made[6:9]] == [S.PENDING, S.PAID, S.PENDING]
    assert scene.mode() is Mode.BULK


async def test_a_closed_list_is_found_out_and_tried_again_six_hours_later(scene: Scene) -> None:
    scene.bakong.configure(md5_list_closed=True)
    payment = await scene.till.create()
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.mode() is Mode.SINGLES
    scene.till.later(seconds=3)
    scene.calls()
    scene.restart()
    await scene.step()  # what was learnt survives the process
    assert (scene.calls(), scene.mode()) == (1, Mode.SINGLES)
    scene.pay(payment)
    scene.till.later(seconds=3)
    await scene.step()
    assert (await scene.till.payment(payment)).status is S.PAID
    scene.bakong.configure(md5_list_closed=False)
    scene.till.later(hours=6)
    await scene.till.create()
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.mode() is Mode.BULK


OUTAGES: list[tuple[str, dict[str, Any], str]] = [
    ("rate_limited", {"retry_after_seconds": 60}, "rate_limited"),
    ("rate_limited", {}, "rate_limited"),
    ("server_error", {"status": 503}, "server_unavailable"),
    ("server_error", {"status": 502, "empty": True}, "server_unavailable"),
    ("error_code", {"error_code": 15}, "server_unavailable"),
    ("error_code", {"error_code": 9}, "server_unavailable"),
    ("error_code", {"error_code": 17}, "quota"),
    ("error_code", {"error_code": 99}, "unexpected_answer"),
    ("unauthorized", {}, "unauthorized"),
    ("blocked", {}, "blocked"),
    ("dropped", {}, "server_unavailable"),
    ("slow", {"seconds": 3600}, "server_unavailable"),
    ("garbage", {}, "unexpected_answer"),
    ("oversize", {}, "unexpected_answer"),
    ("answer", {"status": 200, "body": "{}"}, "unexpected_answer"),
]

ONE_OF_EACH_REASON = list({outage[2]: outage for outage in OUTAGES}.values())


@pytest.mark.parametrize(
    ("database_url", "kind", "details", "reason"),
    [
        *(("sqlite", *outage) for outage in OUTAGES),
        *(pytest.param("postgresql", *outage, marks=pytest.mark.postgres) for outage in ONE_OF_EACH_REASON),
    ],
    indirect=["database_url"],
)
async def test_no_outage_of_any_kind_brings_a_payment_nearer_to_its_end(
    scene: Scene, kind: str, details: dict[str, Any], reason: str
) -> None:
    """Deadlines pass by our own clock; nothing else follows from silence, and money is found when it ends."""
    payment = await scene.till.create()
    scene.bakong.inject(kind, times=None, **details)
    scene.pay(payment)
    await scene.live(seconds=90)
    assert (await scene.till.payment(payment)).status is S.PENDING
    assert scene.watcher.counts[reason] >= 1
    assert scene.watcher.counts["not_found"] == 0
    await scene.live(minutes=16)
    late = await scene.till.payment(payment)
    assert (late.status, late.next_check_at is not None) == (S.TIMEOUT, True)
    await scene.live(until=payment.watch_until + timedelta(minutes=30))
    after = await scene.till.payment(payment)
    assert (after.status, after.flags) == (S.TIMEOUT, frozenset({Flag.UNVERIFIABLE}))
    assert await scene.reviews(payment) == ["unverifiable"]
    scene.bakong.faults.clear()
    await scene.live(hours=14)
    assert (await scene.till.payment(payment)).status is S.PAID  # it was sent in time
    assert await scene.reviews(payment) == []
    assert await scene.till.violations() == []


async def test_an_outage_without_end_is_given_up_after_a_week_and_left_to_a_person(scene: Scene) -> None:
    payment = await scene.till.create()
    scene.bakong.inject("dropped", times=None)
    await scene.live(days=9)
    after = await scene.till.payment(payment)
    assert (after.status, after.next_check_at, after.next_check_reason) == (S.TIMEOUT, None, "unverifiable")
    assert await scene.reviews(payment) == ["unverifiable"]
    assert await scene.till.violations() == []


async def test_when_bakong_refuses_us_the_circuit_opens_and_one_probe_closes_it(scene: Scene) -> None:
    made = [await scene.till.create() for _ in range(60)]
    scene.bakong.configure(geo_block=True)
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.mode() is Mode.BLOCKED
    scene.calls()
    scene.restart()
    await scene.step()
    scene.till.later(minutes=4)
    await scene.step()
    assert scene.calls() == 0
    known = await scene.till.run(lambda c: access.read(c, now=scene.till.now))
    assert (known.reason, known.refusals) == ("blocked", 1)
    reasons = {(await scene.till.payment(payment)).next_check_reason for payment in made[:3]}
    assert reasons == {"payer_may_pay"}  # what stands in the way isn't why they are looked at
    scene.till.later(minutes=2)
    await scene.step()
    assert scene.calls() == 1
    scene.bakong.configure(geo_block=False)
    await scene.live(minutes=8)
    assert scene.calls() == 0  # twice as long after the second refusal
    await scene.live(minutes=5)
    assert scene.mode() is Mode.BULK
    assert scene.calls(LIST) >= 1


async def test_an_outage_for_everybody_opens_the_circuit_for_a_short_while(scene: Scene) -> None:
    scene.bakong.configure(md5_list_closed=True)
    for _ in range(30):
        await scene.till.create()
    scene.till.later(seconds=3)
    scene.bakong.inject("server_error", times=None, endpoint="check_transaction_by_md5", skip=1)
    await scene.step()
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.watcher.provider.access.reason == "server_unavailable"
    assert scene.calls(SINGLE) <= 1 + 1 + 5 + 4  # the list, a single check, five failures, those already under way
    scene.bakong.faults.clear()
    scene.till.later(seconds=35)
    await scene.step()
    await scene.step()
    assert scene.mode() is Mode.SINGLES


async def test_too_many_calls_at_once_halve_the_rate(scene: Scene) -> None:
    scene.bakong.inject("rate_limited", retry_after_seconds=40)
    await scene.till.create()
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.watcher.provider.lanes == 4
    scene.calls()
    scene.till.later(seconds=30)
    await scene.till.create()
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.calls() == 0
    scene.till.later(seconds=10)
    await scene.step()
    assert scene.calls() == 1


async def test_a_spent_quota_is_probed_hourly_until_it_is_given_back(scene: Scene) -> None:
    scene.bakong.configure(daily_quota=1)
    first, second = await scene.till.create(), await scene.till.create()
    scene.till.later(seconds=3)
    await scene.step()
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.mode() is Mode.STARVED
    calls = scene.calls()
    assert calls == 2  # one was answered, one told us
    for _ in range(5):
        scene.till.later(minutes=10)
        await scene.till.hint(first)
        await scene.step()
    assert scene.calls() == 0
    scene.till.later(minutes=15)
    await scene.till.hint(second)
    await scene.step()
    assert scene.calls() == 1
    waiting = await scene.till.payment(first)
    assert (waiting.next_check_reason, waiting.next_check_at) == ("hint", scene.till.now + timedelta(hours=1))
    scene.pay(first)
    scene.bakong.configure(daily_quota=None)
    await scene.live(until=waiting.next_check_at)
    assert (await scene.till.payment(first)).status is S.REVIEW  # sent an hour after its deadline
    assert scene.calls() == 1  # both in one list


async def test_a_spent_quota_is_probed_by_one_call_however_many_payments_are_due(scene: Scene) -> None:
    scene.bakong.configure(md5_list_closed=True)
    made = [await scene.till.create() for _ in range(12)]
    scene.bakong.inject("error_code", error_code=17, times=None)
    scene.till.later(seconds=3)
    await scene.step()
    scene.calls()
    scene.till.later(minutes=61)
    for payment in made:
        await scene.till.hint(payment)
    await scene.step()
    assert scene.calls() == 1


async def test_with_a_hundred_calls_a_day_only_the_looks_that_matter_are_made(scene: Scene) -> None:
    scene.restart(daily_limit=100)
    scene.bakong.configure(md5_list_closed=True)
    payment = await scene.till.create()
    await scene.live(minutes=2, seconds=50)
    assert scene.calls() == 0
    await scene.live(seconds=20)
    assert scene.calls(SINGLE) == 1  # no list is tried for one payment
    await scene.live(until=payment.deadline_at + timedelta(minutes=1))
    assert scene.calls() == 0
    assert (await scene.till.payment(payment)).status is S.TIMEOUT
    await scene.live(minutes=2)
    assert scene.calls(SINGLE) == 1
    await scene.live(until=payment.watch_until - timedelta(minutes=1))
    assert scene.calls(LIST) == 0
    await scene.live(minutes=2)
    assert (await scene.till.payment(payment)).status is S.EXPIRED
    assert await scene.till.violations() == []


async def test_a_shop_with_few_calls_tries_the_closed_list_once_a_day(scene: Scene) -> None:
    scene.restart(daily_limit=100)
    scene.bakong.configure(md5_list_closed=True)
    for _ in range(5):
        for _ in range(2):  # a list is for more than one payment
            await scene.till.hint(await scene.till.create())
        await scene.step()
        scene.till.later(hours=4, minutes=45)  # 23 hours and 45 minutes in all
    assert scene.calls(LIST) == 1
    scene.till.later(minutes=15)
    for _ in range(2):
        await scene.till.hint(await scene.till.create())
    await scene.step()
    assert scene.calls(LIST) >= 1  # payments that are due at the same moment may each try it


async def test_a_look_that_the_quota_put_off_is_made_with_the_next_probe(scene: Scene) -> None:
    scene.restart(daily_limit=100)
    scene.bakong.configure(md5_list_closed=True)
    payment = await scene.till.create()
    await scene.live(until=payment.deadline_at + timedelta(minutes=1))
    scene.pay(payment, created_at=payment.deadline_at - timedelta(minutes=1))
    scene.bakong.inject("error_code", error_code=17, endpoint="check_transaction_by_md5")
    await scene.live(minutes=2)
    waiting = await scene.till.payment(payment)
    assert (waiting.next_check_reason, waiting.last_outcome) == ("look_back", "quota")
    assert waiting.next_check_at == payment.deadline_at + timedelta(minutes=62)
    await scene.live(until=waiting.next_check_at)
    assert (await scene.till.payment(payment)).status is S.PAID


@pytest.mark.parametrize("kind", ["rate_limited", "server_error", "garbage"])
async def test_an_outage_of_a_day_costs_a_starved_payment_few_calls(scene: Scene, kind: str) -> None:
    scene.restart(daily_limit=100)
    scene.bakong.configure(md5_list_closed=True)
    payment = await scene.till.create()
    await scene.live(minutes=2)
    scene.bakong.inject(kind, times=None)
    await scene.live(until=payment.watch_until)
    assert 5 < scene.calls() < 40
    assert (await scene.till.payment(payment)).status is S.TIMEOUT


async def test_a_look_that_our_own_limit_put_off_is_made_after_midnight(scene: Scene) -> None:
    scene.restart(daily_limit=3)
    scene.bakong.configure(md5_list_closed=True)
    payment = await scene.till.create()
    await scene.live(until=payment.deadline_at + timedelta(minutes=1))
    scene.pay(payment, created_at=payment.deadline_at - timedelta(minutes=1))
    await scene.till.run(lambda c: budget.spend(c, limit=3, calls=2, now=scene.till.now))
    await scene.live(minutes=2)
    waiting = await scene.till.payment(payment)
    midnight = there(waiting.next_check_at).astimezone(PHNOM_PENH)
    assert (waiting.next_check_reason, midnight.hour, midnight.minute < 10) == ("look_back", 0, True)
    await scene.live(until=waiting.next_check_at)
    assert (await scene.till.payment(payment)).status is S.PAID


async def test_a_hint_spends_a_call_at_once_even_when_calls_are_few(scene: Scene) -> None:
    scene.restart(daily_limit=100)
    payment = await scene.till.create()
    scene.pay(payment)
    scene.till.later(seconds=20)
    hinted = await scene.till.hint(payment)
    assert hinted.next_check_reason == "hint"
    assert there(hinted.next_check_at) <= scene.till.now
    await scene.step()
    assert (await scene.till.payment(payment)).status is S.PAID


async def test_a_restart_forgets_no_call_and_the_limit_holds(scene: Scene) -> None:
    scene.restart(daily_limit=10)
    for number in range(30):
        payment = await scene.till.create()
        scene.till.later(seconds=11)
        await scene.till.hint(payment)
        await scene.step()
        if number % 4 == 0:
            scene.restart()
    assert scene.calls() == 10
    spent = await scene.till.run(lambda c: budget.read(c, limit=10, now=scene.till.now))
    assert (spent.used, spent.remaining, spent.payments_affordable) == (10, 0, 0)
    assert await scene.till.violations() == []


async def test_the_last_tenth_of_the_day_is_kept_for_hints(scene: Scene) -> None:
    scene.restart(daily_limit=20)
    await scene.till.run(lambda c: budget.spend(c, limit=20, calls=18, now=scene.till.now))
    payment = await scene.till.create()
    await scene.live(minutes=4)
    assert scene.calls() == 0
    await scene.till.hint(payment)
    await scene.step()
    assert scene.calls() == 1


async def test_a_changed_limit_counts_from_what_is_spent(scene: Scene) -> None:
    now = scene.till.now
    assert await scene.till.run(lambda c: budget.spend(c, limit=10, calls=8, now=now))
    await scene.till.run(lambda c: budget.set_limit(c, limit=5, now=now))
    assert (await scene.till.run(lambda c: budget.read(c, limit=5, now=now))).remaining == 0
    await scene.till.run(lambda c: budget.set_limit(c, limit=None, now=now))
    assert await scene.till.run(lambda c: budget.spend(c, limit=None, calls=100, now=now))
    await scene.till.run(lambda c: budget.set_limit(c, limit=200, now=now + timedelta(days=1)))
    assert (await scene.till.run(lambda c: budget.read(c, limit=1, now=now + timedelta(days=1)))).limit == 200


async def test_a_success_that_can_not_be_read_is_asked_again_and_then_looked_at_by_a_person(scene: Scene) -> None:
    scene.bakong.configure(md5_list_closed=True)
    payment = await scene.till.create()
    body = '{"responseCode":0,"responseMessage":"Success","errorCode":null,"data":{"hash":1}}'
    scene.bakong.inject("answer", times=None, status=200, body=body, content_type="application/json", skip=1)
    await scene.live(seconds=60)
    after = await scene.till.payment(payment)
    assert (after.status, after.unreadable) == (S.REVIEW, 3)
    assert await scene.reviews(payment) == ["unreadable"]
    assert scene.watcher.counts[Answer.UNREADABLE] == 3
    assert await scene.till.violations() == []


async def test_a_code_that_bakong_can_not_follow_is_told_and_its_deadline_passes(scene: Scene) -> None:
    payment = await scene.till.create()
    scene.bakong.configure(md5_list_closed=True)
    scene.bakong.inject("error_code", times=None, error_code=2, endpoint="check_transaction_by_md5")
    await scene.live(until=payment.watch_until)
    after = await scene.till.payment(payment)
    assert (after.status, after.next_check_at, after.last_outcome) == (S.TIMEOUT, None, "static_qr")
    assert scene.watcher.counts["static_qr"] == 1
    assert await scene.till.violations() == []


async def test_an_unreadable_item_of_a_list_is_asked_for_singly(scene: Scene) -> None:
    made = [await scene.till.create() for _ in range(6)]
    items = [{"md5": payment.md5, "status": "SUCCESS", "message": "ok", "data": {"hash": 1}} for payment in made]
    body = json.dumps({"responseCode": 0, "responseMessage": "ok", "errorCode": None, "data": items})
    scene.bakong.inject(
        "answer",
        times=1,
        status=200,
        body=body,
        content_type="application/json",
        endpoint="check_transaction_by_md5_list",
    )
    scene.pay(made[0])
    scene.till.later(seconds=3)
    await scene.step()
    assert scene.calls("by_md5") == 1 + 3
    assert scene.watcher.counts["unreadable"] == 3
    assert sum([(await scene.till.payment(payment)).unreadable for payment in made]) == 3


async def test_a_call_that_costs_nothing_spends_nothing(scene: Scene) -> None:
    budget_of_none = DatabaseBudget(scene.till.executor, scene.till.clock, 0)
    await budget_of_none.spend(0, purpose="renew_token")
    with pytest.raises(BudgetSpent, match="no call is left today for check_transaction_by_md5") as refused:
        await budget_of_none.spend(1, purpose="check_transaction_by_md5")
    assert refused.value.retry_at is not None


async def test_the_delay_from_the_payers_time_to_paid_is_told_once(scene: Scene) -> None:
    delays: list[float] = []
    scene.restart(detected=delays.append)
    payment = await scene.till.create()
    await scene.live(seconds=1)
    scene.pay(payment)
    paid_at = scene.till.now
    await scene.live(seconds=30)
    paid = await scene.till.payment(payment)
    assert paid.status is PaymentStatus.PAID
    [delay] = delays
    assert 0 < delay <= (scene.till.now - paid_at).total_seconds()
    await scene.till.hint(payment)
    await scene.live(minutes=30)
    assert delays == [delay]
