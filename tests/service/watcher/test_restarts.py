"""The row is the job: whoever watches, and whenever it was killed, every payment is looked at, and by one at a time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.domain.watching import Priority
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.payments.settling import Answered, settle_all
from bakong_service.storage.payments import claims, effects
from bakong_service.storage.payments import payments as rows
from kit.scene import Scene
from kit.there import there

pytestmark = pytest.mark.anyio
S = PaymentStatus


async def claim(scene: Scene, limit: int = 50) -> list[claims.Claimed]:
    return await scene.till.run(lambda c: claims.claim(c, limit=limit, now=scene.till.now))


async def test_a_restart_forgets_no_payment(scene: Scene) -> None:
    payment = await scene.till.create()
    scene.restart()
    scene.pay(payment)
    scene.till.later(seconds=3)
    await scene.step()
    assert (await scene.till.payment(payment)).status is S.PAID


async def test_a_claim_is_held_for_as_long_as_its_lease(scene: Scene) -> None:
    await scene.till.create()
    scene.till.later(seconds=3)
    [first] = await claim(scene)
    assert await claim(scene) == []
    scene.till.later(seconds=31)
    [second] = await claim(scene)
    assert (second.id, second.fence) == (first.id, first.fence + 1)
    await scene.till.run(lambda c: claims.release(c, [first]))
    assert await claim(scene) == []  # who lost the lease can't give it back
    await scene.till.run(lambda c: claims.release(c, [second]))
    assert len(await claim(scene)) == 1
    await scene.till.run(claims.release_all)
    assert len(await claim(scene)) == 1


async def test_what_a_dead_process_held_on_sqlite_is_due_at_once(scene: Scene) -> None:
    payment = await scene.till.create()
    scene.till.later(seconds=3)
    await claim(scene)
    scene.restart()
    await scene.step()
    looked_at = (await scene.till.payment(payment)).checks
    assert looked_at == (1 if scene.till.executor.dialect == "sqlite" else 0)


async def test_priority_decides_who_is_asked_for_first(scene: Scene) -> None:
    made = [await scene.till.create() for _ in range(4)]
    scene.till.later(seconds=30)
    await scene.till.hint(made[2])
    await scene.till.do(operations.viewed, made[3].reference)
    order = [(await claim(scene, 1))[0].id for _ in range(4)]
    assert order[:2] == [made[2].id, made[3].id]
    assert set(order[2:]) == {made[0].id, made[1].id}
    assert await claim(scene) == []


async def test_the_longest_due_is_asked_for_first(scene: Scene) -> None:
    made = []
    for _ in range(3):
        made.append(await scene.till.create())
        scene.till.later(milliseconds=10)
    scene.till.later(seconds=5)
    assert [(await claim(scene, 1))[0].id for _ in range(3)] == [payment.id for payment in made]


async def test_hints_are_bounded_and_harmless(scene: Scene) -> None:
    payment = await scene.till.create()
    for _ in range(30):
        await scene.till.hint(payment)
        scene.till.later(seconds=10)
    assert (await scene.till.payment(payment)).hints == 10
    scene.pay(payment)
    await scene.step()
    paid = await scene.till.payment(payment)
    assert paid.status is S.PAID
    assert await scene.till.hint(payment) == paid
    assert await scene.till.do(operations.viewed, payment.reference) == paid


async def test_a_hint_looks_for_an_expired_payment_once(scene: Scene) -> None:
    scene.restart(daily_limit=100)  # few looks
    payment = await scene.till.create()
    await scene.live(until=payment.watch_until + timedelta(minutes=1))
    assert (await scene.till.payment(payment)).status is S.EXPIRED
    scene.pay(payment, created_at=payment.created_at + timedelta(minutes=1))
    await scene.till.hint(payment)
    await scene.step()
    assert (await scene.till.payment(payment)).status is S.PAID


async def test_a_stale_worker_changes_nothing_but_its_money_counts(scene: Scene) -> None:
    one, two = await scene.till.create(), await scene.till.create()
    scene.till.later(seconds=3)
    stale = {each.id: each for each in await claim(scene)}
    scene.till.later(seconds=31)
    await claim(scene)
    before = await scene.till.payment(one)
    not_found = Outcome(answer=Answer.NOT_FOUND, asked_at=scene.till.now)
    answered = [Answered(payment_id=one.id, fence=stale[one.id].fence, outcome=not_found)]
    await scene.till.do(settle_all, answered)
    assert await scene.till.payment(one) == before
    scene.pay(two)
    found = await scene.watcher.provider.look([stale[two.id]])
    await scene.watcher._record(found)
    assert (await scene.till.payment(two)).status is S.PAID
    assert await scene.till.violations() == []


@pytest.mark.parametrize("overlaps", [100, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
async def test_two_workers_on_one_payment_never_do_it_twice(scene: Scene, overlaps: int) -> None:
    """Every payment is claimed by one worker, whose lease then ends while it still works, and by a second one."""
    if scene.till.executor.dialect == "sqlite":
        overlaps = min(overlaps, 500)  # one thread writes: there are only two orders, and each payment takes 25 ms
    users = [f"u{number}" for number in range(overlaps)]
    made = [await scene.till.create(user_id=user, plan="PREMIUM") for user in users]
    for payment in made:
        scene.pay(payment)
    scene.till.later(seconds=4)
    first, second = scene.watcher, scene.another()
    while held := await claim(scene):
        early = await first.provider.look(held)
        scene.till.later(seconds=31)
        again = await claim(scene, len(held))
        late = await second.provider.look(again)
        await asyncio.gather(first._record(early), second._record(late))
    for payment in made:
        assert (await scene.till.payment(payment)).status is S.PAID
        assert await scene.till.read(effects.exists, payment.id)
    assert await scene.till.violations() == []


async def test_replicas_share_the_work(scene: Scene) -> None:
    made = [await scene.till.create() for _ in range(130)]
    for payment in made[::2]:
        scene.pay(payment)
    scene.till.later(seconds=3)
    replicas = [scene.watcher, scene.another(), scene.another()]
    await asyncio.gather(*(replica.step(scene.till.now) for replica in replicas))
    asked = sum((replica.counts for replica in replicas), start=type(replicas[0].counts)())
    assert (asked["found"], asked["not_found"]) == (65, 65)
    assert await scene.till.violations() == []


async def test_a_worker_that_is_stopped_gives_its_claims_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = await scene.till.create()
    scene.till.later(seconds=3)
    asking = asyncio.Event()

    async def hangs(_: Any) -> Any:
        asking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(scene.watcher.provider, "look", hangs)
    task = asyncio.create_task(scene.step())
    await asking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each.id for each in await claim(scene)] == [payment.id]


async def test_contradictions_of_bakong_are_counted_and_change_nothing(scene: Scene) -> None:
    payment = await scene.till.create(amount=Money(100, "USD"))
    scene.till.later(seconds=3)
    [held] = await claim(scene)
    scene.pay(payment)
    await scene.till.do(operations.settle, payment.id, found(scene, payment))
    contradiction = Outcome(answer=Answer.NOT_FOUND, asked_at=scene.till.now)
    await scene.watcher._record([Answered(payment_id=held.id, fence=held.fence, outcome=contradiction)])
    assert scene.watcher.counts["provider_contradiction"] == 1
    assert (await scene.till.payment(payment)).status is S.PAID


def found(scene: Scene, payment: Payment) -> Outcome:
    from bakong_service.domain.outcome import Sighting

    sighting = Sighting(
        tx_hash="c" * 64,
        amount=payment.amount.decimal,
        currency="USD",
        to_account=payment.to_account,
        sent_at=scene.till.now,
    )
    return Outcome(answer=Answer.FOUND, asked_at=scene.till.now, sighting=sighting)


async def test_it_says_when_it_will_look_next_and_why(scene: Scene) -> None:
    payment = await scene.till.create()
    told = [(payment.next_check_at, payment.next_check_reason)]
    for _ in range(3):
        scene.till.at(told[-1][0])
        await scene.step()
        now = await scene.till.payment(payment)
        told.append((now.next_check_at, now.next_check_reason))
    assert [(there(at) - payment.created_at).total_seconds() for at, _ in told] == [3, 6, 9, 12]
    assert {reason for _, reason in told} == {"payer_may_pay"}


async def test_the_claim_of_a_hinted_payment_has_its_priority(scene: Scene) -> None:
    payment = await scene.till.create()
    await scene.till.hint(payment)
    [held] = await claim(scene)
    assert (held.priority, held.reason) == (Priority.HINT, "hint")
    assert await scene.till.run(lambda c: rows.count_pending_of(c, "nobody", payment.purpose, at_most=1)) == 0
