"""The order of a subject's events holds whatever fails: answers, workers, processes, and the clock in between.

Each line is the life of one subject: its events, written at random moments, to two endpoints that fail at random, while
workers die between a post and its record and others take over when the lease ends.
"""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bakong_service.domain.delivery import AttemptResult, DeliveryState
from bakong_service.domain.endpoint import TargetPolicy
from bakong_service.storage.checks.invariants import violations
from bakong_service.webhooks.sender import Sender
from bakong_service.workers.delivery import Deliverer
from kit.shopfront import Shopfront

pytestmark = pytest.mark.anyio
LINES_A_RUN = 25


class Killed(Exception):  # noqa: N818 - what happened
    """The worker dies here: what it was about to record is never written."""


class Wire(Sender):
    """Stands for the network and the receivers. It notes what arrived and was taken, in order."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(TargetPolicy())
        self.taken: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.calm = False
        self._chance = chance

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        fate = 1.0 if self.calm else self._chance.random()
        for _ in range(self._chance.randrange(3)):
            await asyncio.sleep(0)
        if fate < 0.1:
            raise Killed  # before it arrived
        status = 500 if fate < 0.35 else 204
        if status == 204:
            event = json.loads(body)
            self.taken[url, event["subject"]].append(event["sequence"])
        if fate < 0.45:
            raise Killed  # after it arrived
        return AttemptResult(status=status, error=None, duration=timedelta(0))


async def play(shop: Shopfront, wire: Wire, chance: random.Random, run: int) -> dict[str, int]:
    """One run; how many events each subject had."""
    written: dict[str, int] = defaultdict(int)
    workers = [Deliverer(shop.till.executor, shop.till.business, shop.till.clock, sender=wire) for _ in range(2)]
    left = [f"pay_{run}_{line}" for line in range(LINES_A_RUN) for _ in range(chance.randint(2, 5))]
    chance.shuffle(left)
    while left:
        for subject in left[-chance.randint(1, 15) :]:
            await shop.happen(subject)
            written[subject] += 1
            left.pop()
        await shop.dispatch()
        await asyncio.gather(*(worker.step(shop.till.now) for worker in workers))
        if chance.random() < 0.7:
            for worker in workers:
                await worker.ended()
        shop.till.later(seconds=chance.choice([0.1, 1, 5, 40]))
    for worker in workers:
        await worker.ended()
    wire.calm = True
    for _ in range(40):
        shop.till.later(seconds=3600)
        await shop.dispatch()
        while (await workers[0].step(shop.till.now)) <= shop.till.now or workers[0]._under_way:
            await workers[0].ended()
        if DeliveryState.PENDING not in {row.state for row in await shop.deliveries(state=DeliveryState.PENDING)}:
            return written
    raise AssertionError("deliveries are pending after forty calm hours")


async def check(shop: Shopfront, runs: range) -> None:
    urls = [f"https://receiver.test/{name}" for name in ("one", "two")]
    for url in urls:
        await shop.listen(url)
    for run in runs:
        chance = random.Random(run)
        wire = Wire(chance)
        with capture_logs():  # a killed worker's attempt is logged with its stack
            written = await play(shop, wire, chance, run)
        for url in urls:
            for subject, count in written.items():
                taken = wire.taken[url, subject]
                where = f"seed {run}, {subject} at {url}: {taken}"
                assert taken == sorted(taken), where
                assert set(taken) == set(range(1, count + 1)), where
    broken = await shop.till.executor.read(
        lambda c: list(violations(c, subscription_grace=timedelta(0), now=shop.till.now))
    )
    assert broken == []


async def test_order_holds_in_500_random_failure_runs(shop: Shopfront) -> None:
    await check(shop, range(16 if shop.till.executor.dialect == "sqlite" else 4))


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_order_holds_in_10_000_random_failure_runs(shop: Shopfront) -> None:
    await check(shop, range(1000, 1400))
