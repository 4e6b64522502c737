"""The feed: each event has its place once it is committed, and none ever comes before one that was read."""

import asyncio
from functools import partial
from typing import Any

import pytest

from bakong_service.domain.event import EVENT_TYPES, NewEvent
from bakong_service.storage.engine import signals
from bakong_service.storage.engine.executor import connect
from bakong_service.storage.webhooks import outbox
from bakong_service.workers.dispatch import Dispatcher
from kit.patience import hears
from kit.receiver import Receiver
from kit.shopfront import Shopfront
from kit.there import there

pytestmark = pytest.mark.anyio


async def feed(shop: Shopfront, **options: Any) -> list[tuple[int, str, int]]:
    events = await shop.till.executor.read(lambda c: outbox.feed(c, **{"limit": 1000} | options))
    return [(there(event.feed_position), event.subject, event.sequence) for event in events]


async def test_an_event_has_no_place_before_it_is_dispatched(shop: Shopfront) -> None:
    reference = await shop.happen()
    assert await feed(shop) == []
    event = await shop.till.executor.read(lambda c: outbox.by_reference(c, reference))
    assert there(event).feed_position is None
    assert await shop.till.executor.read(outbox.oldest_undispatched) == shop.till.now
    await shop.dispatch()
    assert await feed(shop) == [(1, "pay_1", 1)]
    assert await shop.till.executor.read(outbox.oldest_undispatched) is None


async def test_places_have_no_gaps_and_keep_each_subjects_order(shop: Shopfront) -> None:
    for number in range(300):
        await shop.happen(f"pay_{number % 7}")
        if number % 40 == 0:
            await shop.dispatch()
    await shop.dispatch()
    found = await feed(shop)
    assert [position for position, _, _ in found] == list(range(1, 301))
    for subject in {subject for _, subject, _ in found}:
        numbers = [sequence for _, its, sequence in found if its == subject]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_pages_go_forwards_from_a_place_and_backwards_from_one(shop: Shopfront) -> None:
    for number in range(10):
        await shop.happen(f"pay_{number % 2}", "payment.paid" if number % 3 else "payment.created")
    await shop.dispatch()
    assert [place for place, _, _ in await feed(shop, above=4, limit=3)] == [5, 6, 7]
    assert [place for place, _, _ in await feed(shop, below=4, limit=2)] == [3, 2]
    assert {subject for _, subject, _ in await feed(shop, subject="pay_1")} == {"pay_1"}
    assert len(await feed(shop, types=["payment.created"])) == 4


async def test_whoever_reads_on_while_others_write_misses_nothing(shop: Shopfront, database_url: str) -> None:
    """Writers commit in any order, and two processes dispatch at once: a reader that keeps its place sees all."""
    second = connect(database_url) if shop.till.executor.dialect == "postgresql" else shop.till.executor
    if second is not shop.till.executor:
        await second.start()
    dispatchers = [
        Dispatcher(executor, shop.till.business, shop.till.clock) for executor in (shop.till.executor, second)
    ]
    writing = True
    read: list[tuple[int, str, int]] = []

    async def write(writer: int) -> None:
        for _ in range(25):
            await shop.happen(f"pay_{writer}")

    async def dispatch(dispatcher: Dispatcher) -> None:
        while writing:
            await dispatcher.step(shop.till.now)
            await asyncio.sleep(0)

    async def follow() -> None:
        while len(read) < 200:
            read.extend(await feed(shop, above=read[-1][0] if read else None, limit=7))
            await asyncio.sleep(0)

    others = [asyncio.create_task(dispatch(dispatcher)) for dispatcher in dispatchers]
    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(writer) for writer in range(8)))
    await asyncio.wait_for(following, 30)
    writing = False
    await asyncio.gather(*others)
    assert [position for position, _, _ in read] == list(range(1, 201))
    assert read == await feed(shop)
    if second is not shop.till.executor:
        await second.close()


async def test_an_event_wakes_the_dispatcher_and_its_deliveries_the_deliverer(
    shop: Shopfront, receiver: Receiver
) -> None:
    await shop.listen(receiver.url)
    await hears(shop.till.executor, signals.EVENTS, signals.DELIVERIES)
    heard: asyncio.Queue[str] = asyncio.Queue()

    def note(channel: str, _: str) -> None:
        heard.put_nowait(channel)

    stops = [
        shop.till.executor.listen(channel, partial(note, channel)) for channel in (signals.EVENTS, signals.DELIVERIES)
    ]
    await shop.happen()
    assert await asyncio.wait_for(heard.get(), 5) == signals.EVENTS
    await shop.dispatch()
    assert await asyncio.wait_for(heard.get(), 5) == signals.DELIVERIES
    for stop in stops:
        stop()


async def test_an_event_of_no_documented_type_is_a_bug(shop: Shopfront) -> None:
    with pytest.raises(ValueError, match="isn't an event type"):
        await shop.happen(kind="payment.lost")


def test_every_event_type_of_the_promise_is_there() -> None:
    payment = "created paid failed timeout expired cancelled review_required refunded"
    subscription = (
        "activated renewed renewal_due renewal_failed past_due upgraded downgrade_scheduled downgraded upgrade_credited"
        " cancelled resumed expired ended"
    )
    promised = {f"payment.{word}" for word in payment.split()} | {"endpoint.disabled", "endpoint.test"}
    promised |= {f"subscription.{word}" for word in subscription.split()}
    assert promised <= set(EVENT_TYPES)


async def test_events_of_one_transaction_about_one_subject_are_numbered_on(shop: Shopfront) -> None:
    second = NewEvent(type="payment.paid", subject="pay_1", previous_status="pending", data={})
    await shop.happen(
        "pay_1",
        "payment.created",
        and_then=lambda c: outbox.append(c, shop.till.business.identifiers, second, now=shop.till.now),
    )
    await shop.dispatch()
    assert await feed(shop) == [(1, "pay_1", 1), (2, "pay_1", 2)]
