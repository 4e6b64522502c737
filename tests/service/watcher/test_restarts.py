"""The row is the job: whoever watches, and whenever it was killed, every payment is looked at, and by one at a time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import PaymentStatus
from bakong_service.domain.watching import Priority
from bakong_service.operations import payments as operations
from bakong_service.operations.settling import Answered, settle_all
from bakong_service.storage import claims, effects
from bakong_service.storage import payments as rows

pytestmark = pytest.mark.anyio
S = PaymentStatus


async def claim(scene: Any, limit: int = 50) -> list[claims.Claimed]:
    return await scene.run(lambda c: claims.claim(c, limit=limit, now=scene.now))


async def test_flaw_08_a_restart_forgets_no_payment(scene: Any) -> None:
    payment = await scene.create()
    scene.restart()
    scene.pay(payment)
    scene.later(seconds=3)
    await scene.step()
    assert (await scene.payment(payment)).status is S.PAID


async def test_a_claim_is_held_for_as_long_as_its_lease(scene: Any) -> None:
    await scene.create()
    scene.later(seconds=3)
    [first] = await claim(scene)
    assert await claim(scene) == []
    scene.later(seconds=31)
    [second] = await claim(scene)
    assert (second.id, second.fence) == (first.id, first.fence + 1)
    await scene.run(lambda c: claims.release(c, [first]))
    assert await claim(scene) == []  # who lost the lease can't give it back
    await scene.run(lambda c: claims.release(c, [second]))
    assert len(await claim(scene)) == 1
    await scene.run(claims.release_all)
    assert len(await claim(scene)) == 1


async def test_what_a_dead_process_held_on_sqlite_is_due_at_once(scene: Any) -> None:
    payment = await scene.create()
    scene.later(seconds=3)
    await claim(scene)
    scene.restart()
    await scene.step()
    looked_at = (await scene.payment(payment)).checks
    assert looked_at == (1 if scene.executor.dialect == "sqlite" else 0)


async def test_flaw_27_priority_decides_who_is_asked_for_first(scene: Any) -> None:
    made = [await scene.create() for _ in range(4)]
    scene.later(seconds=30)
    await scene.hint(made[2])
    await scene.run(lambda c: operations.viewed(c, scene.business, made[3].reference, now=scene.now))
    order = [(await claim(scene, 1))[0].id for _ in range(4)]
    assert order[:2] == [made[2].id, made[3].id]
    assert set(order[2:]) == {made[0].id, made[1].id}
    assert await claim(scene) == []


async def test_the_longest_due_is_asked_for_first(scene: Any) -> None:
    made = []
    for _ in range(3):
        made.append(await scene.create())
        scene.later(milliseconds=10)
    scene.later(seconds=5)
    assert [(await claim(scene, 1))[0].id for _ in range(3)] == [payment.id for payment in made]


async def test_flaw_27_hints_are_bounded_and_harmless(scene: Any) -> None:
    payment = await scene.create()
    for _ in range(30):
        await scene.hint(payment)
        scene.later(seconds=10)
    assert (await scene.payment(payment)).hints == 10
    scene.pay(payment)
    await scene.step()
    paid = await scene.payment(payment)
    assert paid.status is S.PAID
    assert await scene.hint(payment) == paid
    assert await scene.run(lambda c: operations.viewed(c, scene.business, payment.reference, now=scene.now)) == paid


async def test_a_hint_looks_for_an_expired_payment_once(scene: Any) -> None:
    scene.restart(daily_limit=100)  # few looks
    payment = await scene.create()
    await scene.live(until=payment.watch_until + timedelta(minutes=1))
    assert (await scene.payment(payment)).status is S.EXPIRED
    scene.pay(payment, created_at=payment.created_at + timedelta(minutes=1))
    await scene.hint(payment)
    await scene.step()
    assert (await scene.payment(payment)).status is S.PAID


async def test_a_stale_worker_changes_nothing_but_its_money_counts(scene: Any) -> None:
    one, two = await scene.create(), await scene.create()
    scene.later(seconds=3)
    stale = {each.id: each for each in await claim(scene)}
    scene.later(seconds=31)
    await claim(scene)
    before = await scene.payment(one)
    not_found = Outcome(answer=Answer.NOT_FOUND, asked_at=scene.now)
    answered = [Answered(payment_id=one.id, fence=stale[one.id].fence, outcome=not_found)]
    await scene.run(lambda c: settle_all(c, scene.business, answered, now=scene.now))
    assert await scene.payment(one) == before
    scene.pay(two)
    found = await scene.watcher.provider.look([stale[two.id]])
    await scene.watcher._record(found)
    assert (await scene.payment(two)).status is S.PAID
    assert await scene.violations() == []


@pytest.mark.parametrize("overlaps", [100, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
async def test_two_workers_on_one_payment_never_do_it_twice(scene: Any, overlaps: int) -> None:
    """Every payment is claimed by one worker, whose lease then ends while it still works, and by a second one."""
    users = [f"u{number}" for number in range(overlaps)]
    made = [await scene.create(user_id=user, plan="PREMIUM") for user in users]
    for payment in made:
        scene.pay(payment)
    scene.later(seconds=4)
    first, second = scene.watcher, scene.another()
    while held := await claim(scene):
        early = await first.provider.look(held)
        scene.later(seconds=31)
        again = await claim(scene, len(held))
        late = await second.provider.look(again)
        await asyncio.gather(first._record(early), second._record(late))
    for payment in made:
        assert (await scene.payment(payment)).status is S.PAID
        assert await scene.run(lambda c, p=payment: effects.exists(c, p.id))
    assert await scene.violations() == []


async def test_replicas_share_the_work(scene: Any) -> None:
    made = [await scene.create() for _ in range(130)]
    for payment in made[::2]:
        scene.pay(payment)
    scene.later(seconds=3)
    replicas = [scene.watcher, scene.another(), scene.another()]
    await asyncio.gather(*(replica.step(scene.now) for replica in replicas))
    asked = sum((replica.counts for replica in replicas), start=type(replicas[0].counts)())
    assert (asked["found"], asked["not_found"]) == (65, 65)
    assert await scene.violations() == []


async def test_a_worker_that_is_stopped_gives_its_claims_back(scene: Any) -> None:
    payment = await scene.create()
    scene.later(seconds=3)
    asking = asyncio.Event()

    async def hangs(_: Any) -> Any:
        asking.set()
        await asyncio.Event().wait()

    scene.watcher.provider.look = hangs
    task = asyncio.create_task(scene.step())
    await asking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each.id for each in await claim(scene)] == [payment.id]


async def test_contradictions_of_bakong_are_counted_and_change_nothing(scene: Any) -> None:
    payment = await scene.create(amount=Money(100, "USD"))
    scene.later(seconds=3)
    [held] = await claim(scene)
    scene.pay(payment)
    await scene.run(lambda c: operations.settle(c, scene.business, payment.id, found(scene, payment), now=scene.now))
    contradiction = Outcome(answer=Answer.NOT_FOUND, asked_at=scene.now)
    await scene.watcher._record([Answered(payment_id=held.id, fence=held.fence, outcome=contradiction)])
    assert scene.watcher.counts["provider_contradiction"] == 1
    assert (await scene.payment(payment)).status is S.PAID


def found(scene: Any, payment: Any) -> Outcome:
    from bakong_service.domain.outcome import Sighting

    sighting = Sighting(
        tx_hash="c" * 64,
        amount=payment.amount.decimal,
        currency="USD",
        to_account=payment.to_account,
        sent_at=scene.now,
    )
    return Outcome(answer=Answer.FOUND, asked_at=scene.now, sighting=sighting)


async def test_it_says_when_it_will_look_next_and_why(scene: Any) -> None:
    payment = await scene.create()
    told = [(payment.next_check_at, payment.next_check_reason)]
    for _ in range(3):
        scene.until(told[-1][0])
        await scene.step()
        now = await scene.payment(payment)
        told.append((now.next_check_at, now.next_check_reason))
    assert [(at - payment.created_at).total_seconds() for at, _ in told] == [3, 6, 9, 12]
    assert {reason for _, reason in told} == {"payer_may_pay"}


async def test_the_claim_of_a_hinted_payment_has_its_priority(scene: Any) -> None:
    payment = await scene.create()
    await scene.hint(payment)
    [held] = await claim(scene)
    assert (held.priority, held.reason) == (Priority.HINT, "hint")
    assert await scene.run(lambda c: rows.count_pending_of(c, "nobody", payment.purpose, at_most=1)) == 0
