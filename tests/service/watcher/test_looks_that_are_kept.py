"""What the day's few calls are kept for, whoever spends them, and looks that nobody was there to make."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from bakong_khqr.api import Transaction
from bakong_khqr.money import Currency
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import PaymentStatus
from bakong_service.operations.payments import reviews as decisions
from bakong_service.storage.bakong import budget
from bakong_service.storage.payments import reviews
from bakong_service.storage.subscriptions import subscriptions
from bakong_service.workers.reading import outcome_of
from kit.scene import Scene
from kit.there import there

pytestmark = pytest.mark.anyio
S = PaymentStatus


async def test_the_reserve_for_hints_holds_for_all_replicas_together(scene: Scene) -> None:
    """Each replica's own count is as it was before the others spent."""
    scene.bakong.configure(md5_list_closed=True)
    scene.restart(daily_limit=30)
    made = [await scene.till.create() for _ in range(61)]
    scene.till.later(minutes=18)
    replicas = [scene.watcher, scene.another(), scene.another()]
    for _ in range(4):
        await asyncio.gather(*(replica.step(scene.till.now) for replica in replicas))
    left = await scene.till.run(lambda c: budget.read(c, limit=30, now=scene.till.now))
    assert left.used == 27
    late = made[-1]
    scene.pay(late, created_at=late.created_at + timedelta(minutes=1))
    await scene.till.hint(late)
    await replicas[0].step(scene.till.now)
    assert (await scene.till.payment(late)).status is S.PAID


async def test_calls_that_are_kept_are_not_taken(scene: Scene) -> None:
    def spend(calls: int, kept: int) -> Any:
        return scene.till.run(lambda c: budget.spend(c, limit=10, calls=calls, kept=kept, now=scene.till.now))

    assert [await spend(7, 3), await spend(1, 3), await spend(1, 2), await spend(2, 0), await spend(1, 0)] == [
        True, False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("away", [20, 60, 600])
async def test_a_look_after_the_deadline_is_made_when_nobody_ran_at_its_time(scene: Scene, away: int) -> None:
    scene.restart(daily_limit=100)  # few calls
    payment = await scene.till.create()
    await scene.live(minutes=4)
    scene.pay(payment, created_at=payment.created_at + timedelta(minutes=10))
    scene.till.later(minutes=away)
    scene.restart()
    await scene.step()
    await scene.step()
    assert (await scene.till.payment(payment)).status is S.PAID


HASH = "ab" * 32
SHOWN = Transaction(
    hash=HASH, from_account_id="payer@bank", to_account_id="sokha@aclb", currency=Currency.USD, amount=Decimal("2.50"),
    created_at=None, acknowledged_at=None, description=None, tracking_status=None, receiver_bank=None,
    receiver_bank_account=None, instruction_ref=None, external_ref=None,
)  # fmt: skip


@pytest.mark.parametrize("shown", [HASH, HASH.upper(), f" {HASH}", f"{HASH}\n", f"\t{HASH.upper()} "])
async def test_one_transfer_never_pays_twice_however_its_hash_is_written(scene: Scene, shown: str) -> None:
    statuses = []
    for tx_hash in (HASH, shown):
        payment = await scene.till.create(amount=Money(250, "USD"))
        transaction = evolve(SHOWN, hash=tx_hash, created_at=scene.till.now)
        outcome = outcome_of(transaction, asked_at=scene.till.now)
        statuses.append((await scene.till.settle(payment, outcome)).status)
    assert statuses == [S.PAID, S.REVIEW]


@pytest.mark.parametrize("shown", ["", "ab", HASH + "0", "g" * 64, f"0x{HASH}", HASH[:32] + " " + HASH[32:]])
async def test_a_hash_that_is_none_is_unreadable_and_never_paid(scene: Scene, shown: str) -> None:
    assert outcome_of(evolve(SHOWN, hash=shown), asked_at=scene.till.now).answer is Answer.UNREADABLE


async def test_an_accepted_payments_period_begins_when_the_payer_sent(scene: Scene) -> None:
    payment = await scene.till.create(user_id="u1", plan="PREMIUM")
    scene.till.later(minutes=40)
    scene.pay(payment)  # too late to be taken by itself
    sent_at = scene.till.now
    await scene.step()
    await scene.step()
    scene.till.later(days=3)
    (item,) = await scene.till.run(lambda c: reviews.of_payment(c, payment.id, only_open=True))
    await scene.till.do(decisions.resolve, item.reference, action="accept", actor="operator:dara")
    live = there(await scene.till.read(subscriptions.live_of, "u1"))
    assert abs(live.anchor_at - sent_at) < timedelta(seconds=1)
    assert live.period_end == live.anchor_at + timedelta(days=30)
