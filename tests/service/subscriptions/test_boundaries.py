"""The worker that comes by when something is due."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from bakong_service.domain.errors import NotFound
from bakong_service.operations.subscriptions import boundaries, cancelling
from bakong_service.storage.checks.facts import facts
from bakong_service.storage.schema import subscriptions as table
from bakong_service.storage.subscriptions import subscriptions
from bakong_service.workers.boundaries import Boundaries
from kit.till import Till

pytestmark = pytest.mark.anyio


def worker(desk: Till) -> Boundaries:
    return Boundaries(desk.executor, desk.business, desk.clock)


async def test_a_step_answers_when_the_next_thing_is_due(desk: Till) -> None:
    assert await worker(desk).step(desk.now) == desk.now + timedelta(minutes=1)
    subscription = await desk.subscribe()
    desk.at(subscription.period_end - timedelta(days=7, seconds=20))
    assert await worker(desk).step(desk.now) == desk.now + timedelta(seconds=20)


async def test_a_step_does_what_is_due_to_everybody(desk: Till) -> None:
    first = await desk.subscribe(user="first")
    await desk.subscribe(user="second")
    await desk.subscribe(user="third")
    await desk.do(cancelling.cancel, (await desk.of("third")).reference, at_once=False, reason=None, actor="api:test")
    desk.at(first.period_end)
    await worker(desk).step(desk.now)
    assert [(await desk.of(user)).status for user in ("first", "second", "third")] == [
        "past_due", "past_due", "expired",
    ]  # fmt: skip


async def test_a_failed_renewal_is_a_number_to_alert_on_for_a_day(desk: Till) -> None:
    subscription = await desk.subscribe()
    await desk.subscribe(user="cancelled")
    reference = (await desk.of("cancelled")).reference
    await desk.do(cancelling.cancel, reference, at_once=False, reason=None, actor="api:test")
    desk.at(subscription.period_end + timedelta(days=3))
    await worker(desk).step(desk.now)
    assert (await desk.read(facts, now=desk.now))["renewals_failed_24h"] == 1
    desk.later(days=1)
    assert (await desk.read(facts, now=desk.now))["renewals_failed_24h"] == 0


async def test_what_another_worker_holds_is_left_to_it_until_its_lease_ends(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end)
    claimed = await desk.executor.run(lambda c: subscriptions.claim_due(c, limit=9, now=desk.now))
    assert claimed == [subscription.id]
    assert await worker(desk).step(desk.now) == desk.now + timedelta(seconds=1)
    assert (await desk.of()).status == "active"
    desk.later(seconds=31)  # it died: the lease is over
    await worker(desk).step(desk.now)
    assert (await desk.of()).status == "past_due"


async def test_a_worker_whose_lease_ended_finds_nothing_left_to_do(desk: Till) -> None:
    subscription = await desk.subscribe()
    desk.at(subscription.period_end)
    (claimed,) = await desk.executor.run(lambda c: subscriptions.claim_due(c, limit=9, now=desk.now))
    desk.later(seconds=31)
    await worker(desk).step(desk.now)
    before, after = await desk.do(boundaries.come_by, claimed)
    assert before == after
    assert await desk.told(subscription.reference) == ["activated", "past_due"]


async def test_one_that_fails_holds_up_no_other_and_is_tried_again(desk: Till) -> None:
    broken = await desk.subscribe(user="broken")
    good = await desk.subscribe(user="good")
    # A database that lost a version of a plan: what refers to it can't be read.
    await desk.executor.run(lambda c: c.execute(update(table).where(table.c.id == broken.id).values(plan_version=99)))
    desk.at(good.period_end)
    with pytest.raises(NotFound):
        await worker(desk).step(desk.now)
    assert (await desk.of("good")).status == "past_due"
    assert await worker(desk).step(desk.now) == desk.now + timedelta(seconds=1)
    desk.later(seconds=31)
    with pytest.raises(NotFound):
        await worker(desk).step(desk.now)


async def test_who_isnt_there_is_said_so(desk: Till) -> None:
    with pytest.raises(NotFound):
        await desk.do(boundaries.apply_due, 1)
    with pytest.raises(NotFound):
        await desk.do(boundaries.come_by, 1)
