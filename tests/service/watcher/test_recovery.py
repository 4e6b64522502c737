"""After a restore: events keep their identity, and money of lost payments is found and never invented."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bakong_service.domain.errors import Invalid
from bakong_service.domain.event import NewEvent
from bakong_service.domain.feed import FIRST_EPOCH
from bakong_service.domain.lost_payment import Finding, Found, LostPayment
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.operations.recovery import recovering
from bakong_service.operations.webhooks import dispatching
from bakong_service.storage import audit
from bakong_service.storage.payments import receipts
from bakong_service.storage.schema import events, payments
from bakong_service.storage.webhooks import outbox, restores
from bakong_service.workers.recovery import Recovery
from kit.backup import Backup
from kit.scene import Scene
from kit.there import there

pytestmark = pytest.mark.anyio
OPERATOR = "operator:dara"


async def told(scene: Scene) -> dict[str, Any]:
    """The events, by their ids."""
    query = select(events).order_by(events.c.created_at, events.c.subject_seq)
    return {row.reference: row for row in await scene.till.run(lambda c: list(c.execute(query)))}


async def begin(scene: Scene, since: Any = None) -> Any:
    at = since or scene.till.now - timedelta(hours=1)
    return await scene.till.do(recovering.begin_epoch, since=at, actor=OPERATOR)


async def look_again(scene: Scene, since: Any) -> int:
    looked = await scene.till.do(recovering.look_again, since=since)
    return int(looked.count)


async def look_for(scene: Scene, *lost: LostPayment, waits: list[float] | None = None) -> list[Found]:
    async def wait(seconds: float) -> None:
        (waits if waits is not None else []).append(seconds)
        scene.till.later(seconds=seconds)

    recovery = Recovery(
        scene.till.executor, scene.till.business, scene.till.clock, scene.another().provider, actor=OPERATOR, wait=wait
    )
    return await recovery.look_for(lost, lambda done, of: None)


async def watched_to_the_end(scene: Scene, payment: Payment) -> None:
    """Nobody pays, and the watch ends."""
    scene.till.at(payment.deadline_at)
    await scene.step()
    scene.till.at(payment.watch_until)
    await scene.live(seconds=30)


def known(payment: Payment, **more: Any) -> LostPayment:
    return LostPayment(md5=payment.md5, reference=payment.reference, amount=str(payment.amount), **more)


async def test_the_same_payment_paid_again_after_a_restore_is_told_by_the_same_event_id(
    scene: Scene, backup: Backup
) -> None:
    payment = await scene.till.create(user_id="u1", plan="PREMIUM")
    await backup.take()
    scene.till.later(minutes=1)
    scene.pay(payment)
    await scene.live(minutes=1)
    before = await told(scene)
    types = [row.type for row in before.values()]
    assert sorted(types) == ["payment.created", "payment.paid", "subscription.activated"]

    await backup.restore()
    await begin(scene)
    await scene.live(minutes=30)
    after = await told(scene)
    assert set(after) == set(before)
    assert {row.subject for row in after.values()} == {row.subject for row in before.values()}
    assert await scene.till.violations() == []


async def test_another_order_of_events_after_a_restore_changes_no_id_and_no_event_is_taken_for_another(
    scene: Scene, backup: Backup
) -> None:
    """Before the crash the money was seen at once; after the restore the deadline passes first."""
    payment = await scene.till.create()
    await backup.take()
    scene.pay(payment)
    await scene.live(minutes=1)
    before = {row.type: row.reference for row in (await told(scene)).values()}
    assert set(before) == {"payment.created", "payment.paid"}

    scene.till.at(payment.deadline_at + timedelta(hours=2))
    await backup.restore()
    restore, _ = await begin(scene)
    await scene.till.do(recovering.look_again, since=restore.since)
    await scene.live(minutes=1)
    after = {row.type: row.reference for row in (await told(scene)).values()}
    assert list(after) == ["payment.created", "payment.timeout", "payment.paid"]
    assert after == before | {"payment.timeout": after["payment.timeout"]}
    assert len(set(after.values())) == 3


async def test_what_is_told_after_a_restore_never_looks_stale_to_a_receiver(scene: Scene, backup: Backup) -> None:
    payment = await scene.till.create()
    await backup.take()
    await watched_to_the_end(scene, payment)
    newest = max(row.subject_seq for row in (await told(scene)).values())
    await backup.restore()
    restore, _ = await begin(scene)
    scene.pay(payment, created_at_ms=int((payment.created_at + timedelta(minutes=1)).timestamp() * 1000))
    await scene.live(minutes=5)
    numbers = [row.subject_seq for row in (await told(scene)).values()]
    assert numbers[0] == 1
    assert min(numbers[1:]) == restore.first_sequence > newest
    assert numbers[1:] == list(range(restore.first_sequence, restore.first_sequence + len(numbers) - 1))
    assert await scene.till.violations() == []
    for _ in numbers:  # one of each subject at a time
        await scene.till.do(dispatching.dispatch)
    placed = await scene.till.run(lambda c: outbox.feed(c, limit=9))
    assert [event.sequence for event in placed] == numbers


async def test_a_restore_begins_one_epoch_however_often_it_is_told(scene: Scene) -> None:
    assert await scene.till.run(restores.epoch) == FIRST_EPOCH
    since = scene.till.now - timedelta(hours=1)
    first, is_new = await begin(scene, since)
    scene.till.later(minutes=5)
    again, is_new_again = await begin(scene, since)
    assert (again, is_new, is_new_again) == (first, True, False)
    other, _ = await begin(scene, since + timedelta(minutes=1))
    assert other.epoch != first.epoch
    assert await scene.till.run(restores.epoch) == other.epoch
    assert [each.epoch for each in await scene.till.run(restores.every)] == [first.epoch, other.epoch]
    lines = await scene.till.run(lambda c: audit.page(c, limit=9, level="SECURITY"))
    assert [(line.action, line.actor) for line in lines] == [("database.recovered", OPERATOR)] * 2


async def test_a_backup_of_the_future_is_refused(scene: Scene) -> None:
    with pytest.raises(Invalid, match="a moment in the past"):
        await begin(scene, scene.till.now + timedelta(seconds=1))


async def test_what_was_written_after_the_backup_is_no_kept_part_of_the_feed(scene: Scene) -> None:
    """The service ran for a while before anybody told it of the restore."""
    for _ in range(3):
        await scene.till.create()
        scene.till.later(minutes=1)
    since = scene.till.now
    await scene.till.create()
    await scene.till.do(dispatching.dispatch)
    scene.till.later(minutes=1)
    restore, _ = await begin(scene, since)
    assert restore.after_position == 3


@pytest.mark.parametrize("ended", [PaymentStatus.EXPIRED, PaymentStatus.CANCELLED])
async def test_a_payment_that_ended_since_the_backup_is_looked_at_again(scene: Scene, ended: PaymentStatus) -> None:
    payment = await scene.till.create()
    since = scene.till.now
    if ended is PaymentStatus.CANCELLED:
        from bakong_service.operations.payments import requests as operations

        await scene.till.do(operations.cancel, payment.reference, reason="no", actor=OPERATOR)
    await watched_to_the_end(scene, payment)
    assert (await scene.till.payment(payment)).status is ended
    assert (await scene.till.payment(payment)).next_check_at is None
    scene.pay(payment, created_at_ms=int((payment.created_at + timedelta(minutes=1)).timestamp() * 1000))
    assert await look_again(scene, since) == 1
    await scene.live(minutes=1)
    seen = await scene.till.payment(payment)
    assert seen.status is (PaymentStatus.PAID if ended is PaymentStatus.EXPIRED else PaymentStatus.REVIEW)
    assert seen.hints == 0


async def test_many_payments_are_looked_at_again_part_by_part(scene: Scene) -> None:
    recovering_at_once, recovering._AT_ONCE = recovering._AT_ONCE, 2
    try:
        for _ in range(3):
            await scene.till.create()
        first = await scene.till.do(recovering.look_again, since=scene.till.now)
        rest = await scene.till.run(
            lambda c: recovering.look_again(
                scene.till.work(c),
                since=scene.till.now,
                after=there(first.next_after),
            )
        )
    finally:
        recovering._AT_ONCE = recovering_at_once
    assert (first.count, rest.count, rest.next_after) == (2, 1, None)


async def test_money_of_a_payment_that_the_backup_lacks_is_recorded_and_no_payment_is_made_of_it(
    scene: Scene, backup: Backup
) -> None:
    await backup.take()
    paid, unpaid = await scene.till.create(), await scene.till.create()
    scene.pay(paid)
    await backup.restore()
    found = await look_for(scene, known(paid, event="payment.created"), known(unpaid))
    assert [each.finding for each in found] == [Finding.MONEY, Finding.NOT_FOUND]
    assert await scene.till.run(lambda c: list(c.execute(select(payments.c.id)))) == []
    (line,) = await scene.till.run(lambda c: audit.page(c, limit=9, subject=paid.md5))
    assert (line.action, line.level, line.actor) == (recovering.FOUND_WITHOUT_PAYMENT, "SECURITY", OPERATOR)
    sighting = found[0].sighting
    assert sighting is not None
    assert there(line.details)["transaction_hash"] == sighting.tx_hash
    assert (there(line.details)["reference"], there(line.details)["amount"]) == (paid.reference, "2.50")
    assert str(sighting.from_account) not in str(line.details)

    await look_for(scene, known(paid))
    assert len(await scene.till.run(lambda c: audit.page(c, limit=9, subject=paid.md5))) == 1


async def test_a_payment_that_the_backup_has_is_left_to_the_watcher(scene: Scene) -> None:
    payment = await scene.till.create()
    await watched_to_the_end(scene, payment)
    scene.pay(payment, created_at_ms=int((payment.created_at + timedelta(minutes=1)).timestamp() * 1000))
    (found,) = await look_for(scene, known(payment))
    assert (found.finding, found.reason) == (Finding.IN_DATABASE, f"{payment.reference}: expired")
    await scene.live(minutes=1)
    assert (await scene.till.payment(payment)).status is PaymentStatus.PAID
    (found,) = await look_for(scene, known(payment))
    assert found.reason == f"{payment.reference}: paid"


async def test_money_that_another_payment_has_already_isnt_told_as_new(scene: Scene) -> None:
    payment = await scene.till.create()
    scene.pay(payment)
    await scene.live(minutes=1)
    (receipt,) = await scene.till.run(lambda c: receipts.of_payment(c, payment.id))
    other = LostPayment(md5="0" * 32)
    sighting = (await _sighting_of(scene, payment)).sighting
    assert sighting is not None
    assert sighting.tx_hash == receipt.tx_hash
    found = await scene.till.do(recovering.record_money, other, sighting, actor=OPERATOR)
    assert (found.finding, found.reason) == (Finding.MONEY_KNOWN, payment.reference)


async def _sighting_of(scene: Scene, payment: Payment) -> Any:
    from bakong_service.storage.payments.claims import Claimed

    provider = scene.another().provider
    await provider.begin()
    await provider.prepare(scene.till.now)
    claimed = Claimed(
        id=1,
        md5=payment.md5,
        fence=0,
        status="expired",
        deadline_at=scene.till.now,
        watch_until=scene.till.now,
        priority=3,
        reason="look_back",
    )
    (answered,) = await provider.look([claimed])
    return answered.outcome


async def test_a_closed_list_costs_one_call_more_and_no_answer(scene: Scene, backup: Backup) -> None:
    await backup.take()
    made = [await scene.till.create() for _ in range(3)]
    scene.pay(made[2])
    await backup.restore()
    scene.bakong.configure(md5_list_closed=True)
    found = await look_for(scene, *(known(each) for each in made))
    assert [each.finding for each in found] == [Finding.NOT_FOUND, Finding.NOT_FOUND, Finding.MONEY]


async def test_payments_that_the_days_calls_dont_reach_are_told_as_unanswered(scene: Scene, backup: Backup) -> None:
    await backup.take()
    payment = await scene.till.create()
    await backup.restore()
    scene.restart(daily_limit=0)
    waits: list[float] = []
    (found,) = await look_for(scene, known(payment), waits=waits)
    assert (found.finding, found.reason) == (Finding.UNANSWERED, "quota")
    assert found.retry_at is not None
    assert waits == []


async def test_a_failed_transaction_is_for_a_person(scene: Scene) -> None:
    from bakong_service.domain.outcome import Answer, Outcome

    lost = LostPayment(md5="0" * 32)
    found = recovering.without_money(lost, Outcome(answer=Answer.FAILED_TX, asked_at=scene.till.now))
    assert (found.finding, found.reason) == (Finding.UNCLEAR, "failed_tx")


async def test_a_payment_is_waited_for_while_bakong_asks_for_patience(scene: Scene, backup: Backup) -> None:
    await backup.take()
    payment = await scene.till.create(amount=Money(300, "USD"))
    await backup.restore()
    scene.bakong.inject("rate_limited", times=1)
    waits: list[float] = []
    (found,) = await look_for(scene, known(payment), waits=waits)
    assert found.finding is Finding.NOT_FOUND
    assert waits


async def test_two_events_of_one_subject_never_share_an_id() -> None:
    told: dict[str, Any] = {
        "subject": "pay_1",
        "previous_status": "review",
        "data": {"status": "paid", "amount": "0.50"},
    }
    paid, credited = (NewEvent(type=f"payment.{word}", **told) for word in ("paid", "credited"))
    other = NewEvent(type="payment.paid", **{**told, "subject": "pay_2"})
    ids = {paid.reference(1), paid.reference(2), credited.reference(1), other.reference(1)}
    assert len(ids) == 4
    assert paid.reference(1) == NewEvent(type="payment.paid", **told).reference(1)
