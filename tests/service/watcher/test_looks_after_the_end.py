"""Money that Bakong shows is found after a payment has closed: by a hint, by an operator, and because of a review."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.domain.watching import is_hinted
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.payments import reviews as decisions
from bakong_service.storage.payments import claims, receipts, reviews
from kit.scene import Scene
from kit.there import there

pytestmark = pytest.mark.anyio
S = PaymentStatus


async def resolve(scene: Scene, payment: Payment, action: str) -> Payment:
    (item,) = await scene.till.run(lambda c: reviews.of_payment(c, payment.id, only_open=True))
    return await scene.till.do(decisions.resolve, item.reference, action=action, note="FT1", actor="operator:dara")


async def check(scene: Scene, payment: Payment) -> Payment:
    return await scene.till.do(operations.check, payment.reference, actor="operator:dara")


async def in_review(scene: Scene) -> Payment:
    """A payment whose payer sent one cent by mistake."""
    payment = await scene.till.create()
    scene.bakong.configure(duplicate_shows="last")
    scene.pay(payment, amount=Decimal("0.01"))
    scene.till.later(seconds=3)
    await scene.step()
    assert (await scene.till.payment(payment)).status is S.REVIEW
    return payment


async def seen(scene: Scene, payment: Payment) -> list[Decimal]:
    rows = await scene.till.run(lambda c: receipts.of_payment(c, payment.id))
    return [Decimal(row.amount) for row in rows]


async def until_seen(scene: Scene, payment: Payment, count: int) -> None:
    """Let the watcher step until so many sightings are on record, for ten minutes at most."""
    for _ in range(60):
        await scene.step()
        if len(await seen(scene, payment)) == count:
            return
        scene.till.later(seconds=10)
    raise AssertionError(f"not {count} sightings: {await seen(scene, payment)}")


BOTH = [Decimal("0.01"), Decimal("2.50")]


async def test_more_money_is_seen_soon_after_a_review_item_opens(scene: Scene) -> None:
    payment = await in_review(scene)
    scene.pay(payment)
    await until_seen(scene, payment, 2)
    assert await seen(scene, payment) == BOTH
    assert await scene.reviews(payment) == ["amount", "duplicate_receipt"]


async def test_more_money_is_seen_when_a_review_item_is_resolved(scene: Scene) -> None:
    payment = await in_review(scene)
    await scene.live(minutes=10)
    scene.pay(payment)
    await resolve(scene, payment, "refunded")
    await until_seen(scene, payment, 2)
    assert (await scene.till.payment(payment)).status is S.REFUNDED
    assert await scene.reviews(payment) == ["duplicate_receipt"]
    assert await scene.till.violations() == []


async def test_more_money_is_seen_within_a_day_while_a_review_item_is_open(scene: Scene) -> None:
    payment = await in_review(scene)
    for day in range(3):
        scene.calls()
        scene.till.later(days=1)
        await scene.step()
        assert scene.calls() == 1, day
    scene.pay(payment)
    scene.till.later(days=1)
    await until_seen(scene, payment, 2)


async def test_a_look_for_a_review_that_got_no_answer_is_made_again(scene: Scene) -> None:
    payment = await in_review(scene)
    scene.bakong.inject("dropped", times=3)
    scene.pay(payment)
    await until_seen(scene, payment, 2)


async def test_a_closed_payment_without_a_review_costs_no_call(scene: Scene) -> None:
    payment = await scene.till.create()
    scene.pay(payment)
    scene.till.later(seconds=3)
    await scene.step()
    assert (await scene.till.payment(payment)).status is S.PAID
    scene.calls()
    for _ in range(5):
        scene.till.later(days=1)
        await scene.step()
    assert scene.calls() == 0


async def resolved_review(scene: Scene) -> Payment:
    payment = await in_review(scene)
    await resolve(scene, payment, "refunded")
    return payment


async def paid(scene: Scene) -> Payment:
    payment = await scene.till.create()
    scene.bakong.configure(duplicate_shows="last")
    scene.pay(payment)
    scene.till.later(seconds=3)
    await scene.step()
    return payment


@pytest.mark.parametrize("reach", [in_review, resolved_review, paid])
@pytest.mark.parametrize("asker", ["payer", "operator"])
async def test_a_hint_finds_more_money_whatever_became_of_the_payment(scene: Scene, reach: Any, asker: str) -> None:
    payment = await reach(scene)
    await scene.live(minutes=3)
    scene.till.later(minutes=10)
    before = await seen(scene, payment)
    scene.pay(payment, amount=Decimal("9.00"))
    hinted = await (scene.till.hint(payment) if asker == "payer" else check(scene, payment))
    assert is_hinted(hinted)
    await scene.step()
    assert await seen(scene, payment) == [*before, Decimal("9.00")]
    assert "duplicate_receipt" in await scene.reviews(payment)
    assert await scene.till.violations() == []


async def test_an_operators_look_needs_no_hint_and_is_never_refused(scene: Scene) -> None:
    payment = await scene.till.create()
    for _ in range(12):
        await scene.till.hint(payment)
        scene.till.later(seconds=10)
    await scene.live(until=payment.watch_until + timedelta(minutes=1))
    refused = await scene.till.hint(payment)
    assert (refused.status, refused.hints, is_hinted(refused)) == (S.EXPIRED, 10, False)
    scene.pay(payment, created_at=payment.created_at + timedelta(minutes=1))
    assert is_hinted(await check(scene, payment))
    await scene.step()
    found = await scene.till.payment(payment)
    assert (found.status, found.hints) == (S.PAID, 10)
    for _ in range(3):
        assert is_hinted(await check(scene, payment))


async def test_an_operators_look_that_the_quota_puts_off_is_made_after_midnight(scene: Scene) -> None:
    payment = await in_review(scene)
    scene.pay(payment)
    await check(scene, payment)
    scene.bakong.inject("error_code", times=1, error_code=17)
    await scene.step()
    held = await scene.till.payment(payment)
    assert (held.next_check_reason, there(held.next_check_at) > scene.till.now) == ("hint", True)
    await scene.live(days=1)
    assert await seen(scene, payment) == BOTH


async def test_hints_at_a_paid_payment_are_ten_minutes_apart(scene: Scene) -> None:
    payment = await paid(scene)
    assert not is_hinted(await scene.till.hint(payment))
    scene.till.later(minutes=10)
    assert is_hinted(await scene.till.hint(payment))
    await scene.step()
    scene.till.later(minutes=9)
    assert not is_hinted(await scene.till.hint(payment))


async def test_a_hint_that_comes_while_a_closed_payment_is_asked_for_is_looked_at(scene: Scene) -> None:
    payment = await in_review(scene)
    scene.till.later(minutes=2)
    await scene.till.run(lambda c: claims.revisit(c, limit=10, now=scene.till.now))
    (claimed,) = await scene.till.run(lambda c: claims.claim(c, limit=10, now=scene.till.now))
    answers = await scene.watcher.provider.look([claimed])
    scene.till.later(seconds=1)
    await scene.till.hint(payment)
    await scene.watcher._record(answers)
    assert is_hinted(await scene.till.payment(payment))
