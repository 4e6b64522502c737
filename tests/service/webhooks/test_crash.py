"""A process that dies between commit and delivery, or between delivery and its record: nothing is lost, order holds."""

import asyncio
import json
import random
from datetime import timedelta

import pytest

from bakong_service.domain.delivery import Answer, DeliveryState
from bakong_service.storage.deliveries import LEASE
from bakong_service.workers.delivery import Deliverer
from bakong_service.workers.dispatch import Dispatcher

pytestmark = pytest.mark.anyio
MOMENTS = ("after the commit", "after the dispatch", "after the claim", "before the record")


class Wire:
    """A receiver that takes everything, until the process is cut off."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.cut = False

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        self.taken.append(json.loads(body)["sequence"])
        if self.cut:
            await asyncio.Event().wait()  # the process ends here: what follows never happens
        return Answer(status=204, error=None, duration=timedelta(0))

    def close(self) -> None:
        """Nothing is open."""


async def die(deliverer: Deliverer) -> None:
    """End a process's work as a power cut does: nothing more is written."""
    for task in list(deliverer._under_way):
        task.cancel()
    await deliverer.ended()


async def crash(shop, wire: Wire, moment: str) -> None:
    """A process that handles one event and dies at that moment."""
    await shop.happen("pay_1")
    if moment == "after the commit":
        return
    await Dispatcher(shop.executor, shop.business, shop.clock).step(shop.clock.now())
    if moment == "after the dispatch":
        return
    deliverer = Deliverer(shop.executor, shop.business, shop.clock, sender=wire)
    wire.cut = moment == "before the record"
    await deliverer.step(shop.clock.now())
    if moment == "before the record":
        await asyncio.sleep(0)  # lets the post arrive
    await die(deliverer)
    wire.cut = False


async def check(shop, crashes: int) -> None:
    wire, chance = Wire(), random.Random(crashes)
    await shop.listen("https://receiver.test/hook")
    shop.restart()
    shop.deliverer = Deliverer(shop.executor, shop.business, shop.clock, sender=wire)
    for number in range(crashes):
        moment = MOMENTS[number % len(MOMENTS)]
        await crash(shop, wire, moment)
        if chance.random() < 0.5:
            shop.clock.advance(LEASE)
            await shop.deliver()  # another process starts
    shop.clock.advance(LEASE)
    await shop.deliver()
    assert wire.taken == sorted(wire.taken), "out of order"
    assert set(wire.taken) == set(range(1, crashes + 1)), "lost"
    assert set(await shop.states()) == {DeliveryState.DELIVERED}
    assert len(wire.taken) > crashes or crashes < 4, "no crash made anything arrive twice: the test proves nothing"


async def test_every_event_arrives_in_order_through_12_crashes(shop) -> None:
    await check(shop, 12)


@pytest.mark.slow
async def test_every_event_arrives_in_order_through_200_crashes(shop) -> None:
    await check(shop, 200)


async def test_a_claimed_delivery_is_left_alone_until_its_lease_ends(shop, receiver) -> None:
    await shop.listen(receiver.url)
    wire = Wire()
    await crash(shop, wire, "before the record")
    shop.clock.advance(LEASE - timedelta(microseconds=1))
    await shop.deliver()
    assert receiver.requests == []
    shop.clock.advance(timedelta(microseconds=1))
    await shop.deliver()
    assert len(receiver.requests) == 1


async def test_a_worker_whose_lease_ended_changes_nothing(shop, receiver) -> None:
    await shop.listen(receiver.url)
    await shop.happen("pay_1")
    await shop.dispatch()
    wire, go = Wire(), asyncio.Event()

    async def slow(url: str, headers: dict[str, str], body: bytes) -> Answer:
        await go.wait()
        return Answer(status=500, error=None, duration=timedelta(seconds=31))

    wire.post = slow  # type: ignore[method-assign]
    late = Deliverer(shop.executor, shop.business, shop.clock, sender=wire)
    await late.step(shop.clock.now())
    shop.clock.advance(LEASE)
    await shop.deliver()  # another worker takes it, and is done
    go.set()
    await late.ended()
    (delivery,) = await shop.deliveries()
    assert (delivery.state, delivery.attempts, delivery.last_status) == (DeliveryState.DELIVERED, 1, 204)
    assert (shop.deliverer.counts["delivered"], late.counts["claim_lost"]) == (1, 1)
