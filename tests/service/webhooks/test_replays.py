"""Deliveries made again: one, the dead letters of a time, or all since a time."""

import json
from datetime import timedelta
from typing import Any

import pytest

from bakong_service import resources
from bakong_service.domain.delivery import SCHEDULES, DeliveryState
from bakong_service.domain.errors import Conflict, NotFound
from bakong_service.operations.webhooks import endpoints as endpoint_operations
from bakong_service.operations.webhooks import replays
from kit.clocks import BEGIN
from kit.receiver import Receiver, told
from kit.shopfront import Shopfront

pytestmark = pytest.mark.anyio
PENDING, DELIVERED, FAILED = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.FAILED


async def replay(shop: Shopfront, reference: str, **options: Any) -> resources.Replay:
    options = {"since": BEGIN} | options
    return await shop.till.do(replays.replay, reference, **options)


async def retry(shop: Shopfront, reference: str) -> str:
    return (await shop.till.do(replays.retry, reference)).reference


async def fail_all(shop: Shopfront, receiver: Receiver, subjects: int = 3) -> None:
    """Dead letters: an event of each subject that failed for good."""
    shop.restart(schedule=SCHEDULES["compat"])
    receiver.answer = told(500)
    for number in range(subjects):
        await shop.happen(f"pay_{number}")
    for _ in range(8):
        await shop.deliver()
        shop.till.later(seconds=1)
    receiver.answer = told(204)
    receiver.requests.clear()


def subjects(receiver: Receiver) -> list[str]:
    return sorted(json.loads(request.body)["subject"] for request in receiver.requests)


async def test_a_dead_letter_is_replayed_with_the_id_it_had(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url)
    await fail_all(shop, receiver, 1)
    (dead,) = await shop.deliveries()
    made = await retry(shop, dead.reference)
    assert made != dead.reference
    await shop.deliver()
    (request,) = receiver.requests
    assert request.headers["webhook-id"] == dead.event
    assert [(row.state, row.replay) for row in await shop.deliveries()] == [(FAILED, 0), (DELIVERED, 1)]


async def test_what_was_delivered_may_be_replayed_as_often_as_one_likes(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url)
    await shop.happen()
    await shop.deliver()
    (first,) = await shop.deliveries()
    for _ in range(3):
        await retry(shop, first.reference)
    await shop.deliver()
    assert len(receiver.requests) == 4
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


async def test_a_delivery_that_waits_for_its_next_attempt_goes_at_once(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url)
    receiver.answers = [told(500), told(500)]
    await shop.happen("pay_1")
    await shop.happen("pay_1")
    await shop.deliver()
    first, second = await shop.deliveries()
    with pytest.raises(Conflict, match="waits for an earlier event of pay_1"):
        await retry(shop, second.reference)
    assert await retry(shop, first.reference) == first.reference
    await shop.deliver()
    assert len(receiver.requests) == 2
    assert (await shop.deliveries())[0].attempts == 2


async def test_a_replay_holds_up_nothing_and_waits_for_nothing(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url)
    await shop.happen("pay_1")
    await shop.deliver()
    (first,) = await shop.deliveries()
    await retry(shop, first.reference)
    receiver.answers = [told(500)]  # the replay fails
    await shop.deliver()
    await shop.happen("pay_1")
    await shop.deliver()
    assert [json.loads(request.body)["sequence"] for request in receiver.requests] == [1, 1, 2]


async def test_the_dead_letters_of_a_stretch_are_replayed_and_nothing_else(shop: Shopfront, receiver: Receiver) -> None:
    endpoint = await shop.listen(receiver.url)
    await fail_all(shop, receiver, 3)
    middle = shop.till.now
    await shop.happen("pay_good")
    await shop.deliver()
    receiver.requests.clear()
    assert (await replay(shop, endpoint.reference, since=middle)).count == 0
    assert (await replay(shop, endpoint.reference, until=BEGIN)).count == 0
    done = await replay(shop, endpoint.reference, until=middle)
    assert (done.count, done.next_after) == (3, None)
    assert (await replay(shop, endpoint.reference)).count == 0  # they are on their way already
    await shop.deliver()
    assert subjects(receiver) == ["pay_0", "pay_1", "pay_2"]
    assert (await replay(shop, endpoint.reference)).count == 0


async def test_all_since_a_time_are_replayed_even_to_an_endpoint_that_is_new(
    shop: Shopfront, receiver: Receiver
) -> None:
    await shop.happen("pay_old")
    shop.till.later(seconds=60)
    since = shop.till.now
    for kind in ("payment.paid", "payment.failed"):
        await shop.happen(f"pay_{kind}", kind)
    await shop.dispatch()
    endpoint = await shop.listen(receiver.url, event_types=frozenset({"payment.paid"}))
    assert (await replay(shop, endpoint.reference, since=since, failed_only=False)).count == 1
    await shop.deliver()
    assert subjects(receiver) == ["pay_payment.paid"]


async def test_a_long_stretch_is_replayed_in_several_calls(
    shop: Shopfront, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "_AT_ONCE", 4)
    for number in range(10):
        await shop.happen(f"pay_{number}")
    await shop.dispatch()
    endpoint = await shop.listen(receiver.url)
    counts: list[int] = []
    after: int | None = 0
    while after is not None:
        done = await replay(shop, endpoint.reference, failed_only=False, after=after)
        counts.append(done.count)
        after = done.next_after
    assert counts == [4, 4, 2]
    await shop.deliver()
    assert len(set(subjects(receiver))) == 10


async def test_what_isnt_there_cant_be_replayed(shop: Shopfront, receiver: Receiver) -> None:
    with pytest.raises(NotFound):
        await retry(shop, "dlv_1")
    with pytest.raises(NotFound):
        await replay(shop, "we_1")
    endpoint = await shop.listen(receiver.url)
    await shop.happen()
    await shop.deliver()
    (delivery,) = await shop.deliveries()
    await shop.till.do(endpoint_operations.delete, endpoint.reference, now=shop.till.now + timedelta(1))
    with pytest.raises(Conflict, match="is deleted"):
        await retry(shop, delivery.reference)
