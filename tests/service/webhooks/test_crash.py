"""A process that dies between commit and delivery, or between delivery and its record: nothing is lost, order holds."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from bakong_service.domain.delivery import AttemptResult, DeliveryState
from bakong_service.domain.endpoint import TargetPolicy
from bakong_service.storage.engine.executor import DatabaseUnavailable, Operation
from bakong_service.storage.webhooks.deliveries import LEASE
from bakong_service.webhooks.sender import Sender
from bakong_service.workers import delivery
from bakong_service.workers.delivery import Deliverer
from bakong_service.workers.dispatch import Dispatcher
from kit.receiver import Receiver, Request
from kit.shopfront import Shopfront

pytestmark = pytest.mark.anyio
MOMENTS = ("after the commit", "after the dispatch", "after the claim", "before the record")


class Wire(Sender):
    """A receiver that takes everything, until the process is cut off."""

    def __init__(self) -> None:
        super().__init__(TargetPolicy())
        self.taken: list[int] = []
        self.cut = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        self.taken.append(json.loads(body)["sequence"])
        if self.cut:
            await asyncio.Event().wait()  # the process ends here: what follows never happens
        return AttemptResult(status=204, error=None, duration=timedelta(0))


async def die(deliverer: Deliverer) -> None:
    """End a process's work as a power cut does: nothing more is written."""
    for task in list(deliverer._under_way):
        task.cancel()
    await deliverer.ended()


async def crash(shop: Shopfront, wire: Wire, moment: str) -> None:
    """A process that handles one event and dies at that moment."""
    await shop.happen("pay_1")
    if moment == "after the commit":
        return
    await Dispatcher(shop.till.executor, shop.till.business, shop.till.clock).step(shop.till.now)
    if moment == "after the dispatch":
        return
    deliverer = Deliverer(shop.till.executor, shop.till.business, shop.till.clock, sender=wire)
    wire.cut = moment == "before the record"
    await deliverer.step(shop.till.now)
    if moment == "before the record":
        await asyncio.sleep(0)  # lets the post arrive
    await die(deliverer)
    wire.cut = False


async def check(shop: Shopfront, crashes: int) -> None:
    wire, chance = Wire(), random.Random(crashes)
    await shop.listen("https://receiver.test/hook")
    shop.restart()
    shop.deliverer = Deliverer(shop.till.executor, shop.till.business, shop.till.clock, sender=wire)
    for number in range(crashes):
        moment = MOMENTS[number % len(MOMENTS)]
        await crash(shop, wire, moment)
        if chance.random() < 0.5:
            shop.till.at(shop.till.now + LEASE)
            await shop.deliver()  # another process starts
    shop.till.at(shop.till.now + LEASE)
    await shop.deliver()
    assert wire.taken == sorted(wire.taken), "out of order"
    assert set(wire.taken) == set(range(1, crashes + 1)), "lost"
    assert set(await shop.states()) == {DeliveryState.DELIVERED}
    assert len(wire.taken) > crashes or crashes < 4, "no crash made anything arrive twice: the test proves nothing"


async def test_every_event_arrives_in_order_through_12_crashes(shop: Shopfront) -> None:
    await check(shop, 12)


@pytest.mark.slow
async def test_every_event_arrives_in_order_through_200_crashes(shop: Shopfront) -> None:
    await check(shop, 200)


async def test_an_attempt_that_cant_be_recorded_is_logged_counted_and_made_again(
    shop: Shopfront, receiver: Receiver
) -> None:
    await shop.listen(receiver.url)
    await shop.happen("pay_1")
    await shop.dispatch()
    with capture_logs() as logs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shop.till.executor, "run", fails_to_record(shop.till.executor.run))
        await shop.deliverer.step(shop.till.now)
        await shop.deliverer.ended()
    assert [line["event"] for line in logs] == ["webhook_not_recorded"]
    assert shop.deliverer.counts["not_recorded"] == 1
    shop.till.at(shop.till.now + LEASE)
    await shop.deliver()
    assert len(receiver.requests) == 2
    assert await shop.states() == [DeliveryState.DELIVERED]


def fails_to_record(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """An executor's `run` whose second call finds the database away."""
    calls = []

    async def failing(operation: Operation[Any], **options: Any) -> Any:
        calls.append(operation)
        if len(calls) == 2:
            raise DatabaseUnavailable("the database is away")
        return await run(operation, **options)

    return failing


async def test_stopping_waits_for_what_is_under_way_but_not_for_long(
    shop: Shopfront, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_PATIENCE_SECONDS", 0.2)
    arrived = asyncio.Event()

    async def by_target(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.target == "/hook/hangs":
            arrived.set()
            await asyncio.Event().wait()
        await arrived.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    receiver.answer = by_target
    for name in ("quick", "hangs"):
        await shop.listen(f"{receiver.url}/{name}")
    await shop.happen("pay_1")
    await shop.dispatch()
    await shop.deliverer.step(shop.till.now)
    await asyncio.wait_for(shop.deliverer.aclose(), 5)
    assert sorted(await shop.states()) == [DeliveryState.DELIVERED, DeliveryState.PENDING]


async def test_a_claimed_delivery_is_left_alone_until_its_lease_ends(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url)
    wire = Wire()
    await crash(shop, wire, "before the record")
    shop.till.at(shop.till.now + LEASE - timedelta(microseconds=1))
    await shop.deliver()
    assert receiver.requests == []
    shop.till.later(microseconds=1)
    await shop.deliver()
    assert len(receiver.requests) == 1


async def test_a_worker_whose_lease_ended_changes_nothing(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url)
    await shop.happen("pay_1")
    await shop.dispatch()
    go = asyncio.Event()

    class Slow(Wire):
        async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AttemptResult:
            await go.wait()
            return AttemptResult(status=500, error=None, duration=timedelta(seconds=31))

    late = Deliverer(shop.till.executor, shop.till.business, shop.till.clock, sender=Slow())
    await late.step(shop.till.now)
    shop.till.at(shop.till.now + LEASE)
    await shop.deliver()  # another worker takes it, and is done
    go.set()
    await late.ended()
    (row,) = await shop.deliveries()
    assert (row.state, row.attempts, row.last_status) == (DeliveryState.DELIVERED, 1, 204)
    assert (shop.deliverer.counts["delivered"], late.counts["claim_lost"]) == (1, 1)
