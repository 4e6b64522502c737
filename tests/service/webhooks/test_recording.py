"""Attempts that end together are recorded together, and each as if it were alone."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from attrs import evolve

from bakong_service.domain.delivery import AttemptResult, DeliveryState, Verdict
from bakong_service.domain.endpoint import EndpointState, TargetPolicy
from bakong_service.operations.webhooks import deliveries as operations
from bakong_service.operations.webhooks import endpoints
from bakong_service.operations.webhooks.deliveries import Assignment, Attempt
from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.storage.webhooks import delivery_records
from bakong_service.storage.webhooks.deliveries import LEASE
from bakong_service.webhooks.sender import Sender
from bakong_service.workers import delivery
from bakong_service.workers.delivery import PLACES, Deliverer
from bakong_service.workers.recording import Recorder
from kit.shopfront import Shopfront

pytestmark = pytest.mark.anyio
PENDING, DELIVERED = DeliveryState.PENDING, DeliveryState.DELIVERED
STATUSES = {Verdict.DELIVERED: 204, Verdict.RETRY: 500, Verdict.GONE: 410}


async def claimed(shop: Shopfront, *endpoint_ids: int) -> list[Assignment]:
    """Claim every delivery of the endpoints that is due, by the subject of its event."""
    found = await shop.till.do(operations.claim, dict.fromkeys(endpoint_ids, 100))
    return sorted(found, key=lambda one: (one.endpoint, one.event.subject))


def made(assignment: Assignment, verdict: Verdict = Verdict.DELIVERED) -> Attempt:
    answer = AttemptResult(status=STATUSES[verdict], error=None, duration=timedelta(milliseconds=7), response="said")
    return Attempt(assignment=assignment, answer=answer, verdict=verdict, retry_after=None)


async def recorded(shop: Shopfront, *attempts: Attempt) -> list[DeliveryState | None]:
    return await shop.till.do(operations.record, attempts)


async def test_each_answer_of_a_batch_is_recorded_for_its_own_delivery(shop: Shopfront) -> None:
    endpoint = await shop.listen("https://receiver.test/hook")
    for subject in ("pay_1", "pay_2", "pay_3", "pay_1", "pay_2"):
        await shop.happen(subject)
    await shop.dispatch()
    first, second, third = await claimed(shop, endpoint.id)
    states = await recorded(shop, made(third), made(first), made(second, Verdict.RETRY))
    assert states == [DELIVERED, DELIVERED, PENDING]
    rows = {(row.subject, row.sequence): row for row in await shop.deliveries()}
    assert [(rows[subject, 1].last_status, rows[subject, 1].attempts) for subject in ("pay_1", "pay_2", "pay_3")] == [
        (204, 1),
        (500, 1),
        (204, 1),
    ]
    tried = await shop.till.read(delivery_records.attempts, rows["pay_2", 1].reference)
    assert [(attempt.status, attempt.duration_ms, attempt.response) for attempt in tried] == [(500, 7, "said")]
    # The next of pay_1 is due. The next of pay_2 waits for the one that failed.
    assert (rows["pay_1", 2].next_attempt_at, rows["pay_2", 2].next_attempt_at) == (shop.till.now, None)


async def test_of_two_attempts_at_one_delivery_only_the_holder_of_the_lease_counts(shop: Shopfront) -> None:
    endpoint = await shop.listen("https://receiver.test/hook")
    await shop.happen("pay_1")
    await shop.dispatch()
    (late,) = await claimed(shop, endpoint.id)
    shop.till.at(shop.till.now + LEASE)
    (holder,) = await claimed(shop, endpoint.id)
    states = await recorded(shop, made(late, Verdict.RETRY), made(holder), made(late, Verdict.GONE))
    assert states == [None, DELIVERED, None]
    (row,) = await shop.deliveries()
    assert (row.state, row.attempts, row.last_status) == (DELIVERED, 1, 204)
    tried = await shop.till.read(delivery_records.attempts, row.reference)
    assert sorted(attempt.status or 0 for attempt in tried) == [204, 410, 500]
    assert (await shop.till.read(endpoints.get, endpoint.reference)).failures == 0


async def test_a_delivery_that_was_cancelled_during_its_post_stays_cancelled(shop: Shopfront) -> None:
    deleted = await shop.listen("https://receiver.test/deleted")
    kept = await shop.listen("https://receiver.test/kept")
    await shop.happen("pay_1")
    await shop.dispatch()
    attempts = [made(one, Verdict.RETRY) for one in await claimed(shop, deleted.id)]
    attempts += [made(one) for one in await claimed(shop, kept.id)]
    await shop.till.do(endpoints.delete, deleted.reference)
    assert await recorded(shop, *attempts) == [None, DELIVERED]
    assert {row.endpoint: row.state for row in await shop.deliveries()} == {
        deleted.reference: DeliveryState.CANCELLED,
        kept.reference: DELIVERED,
    }


@pytest.mark.parametrize(
    ("verdicts", "failures"),
    [
        ((Verdict.RETRY, Verdict.RETRY), 2),
        ((Verdict.RETRY, Verdict.DELIVERED), 0),
        ((Verdict.RETRY, Verdict.DELIVERED, Verdict.RETRY), 1),
    ],
)
async def test_failures_in_a_row_are_counted_in_the_order_in_which_attempts_ended(
    shop: Shopfront, verdicts: Sequence[Verdict], failures: int
) -> None:
    one = await shop.listen("https://receiver.test/one")
    other = await shop.listen("https://receiver.test/other")
    for number in range(len(verdicts)):
        await shop.happen(f"pay_{number}")
    await shop.dispatch()
    attempts = [made(own, verdict) for own, verdict in zip(await claimed(shop, one.id), verdicts, strict=True)]
    attempts += [made(assignment) for assignment in await claimed(shop, other.id)]
    await recorded(shop, *attempts)
    found = await shop.till.read(endpoints.get, one.reference)
    assert (found.failures, found.failing_since) == (failures, shop.till.now if failures else None)
    assert (await shop.till.read(endpoints.get, other.reference)).failures == 0


async def test_an_endpoint_that_is_gone_is_disabled_once(shop: Shopfront) -> None:
    endpoint = await shop.listen("https://receiver.test/hook")
    for number in range(3):
        await shop.happen(f"pay_{number}")
    await shop.dispatch()
    first, second, third = await claimed(shop, endpoint.id)
    await recorded(shop, made(first, Verdict.GONE), made(second, Verdict.GONE), made(third))
    found = await shop.till.read(endpoints.get, endpoint.reference)
    assert (found.state, found.disabled_reason) == (EndpointState.DISABLED, "gone")
    assert found.version == endpoint.version + 1


class Instant(Sender):
    """A receiver that takes everything at once."""

    def __init__(self) -> None:
        super().__init__(TargetPolicy())
        self.taken = 0

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        self.taken += 1
        return AttemptResult(status=204, error=None, duration=timedelta(0))


class Unhurried(Deliverer):
    """A deliverer whose database writes attempts only when the test says so."""

    free: asyncio.Event

    async def _record(self, attempts: Sequence[Attempt]) -> list[DeliveryState | None]:
        await self.free.wait()
        return await super()._record(attempts)


@pytest.mark.parametrize(("most", "taken"), [(PLACES + 1, 2 * PLACES), (PLACES, PLACES)])
async def test_posts_go_on_before_earlier_ones_are_recorded_but_not_for_ever(
    shop: Shopfront, monkeypatch: pytest.MonkeyPatch, most: int, taken: int
) -> None:
    monkeypatch.setattr(delivery, "MOST_UNRECORDED", most)
    await shop.listen("https://receiver.test/hook")
    for number in range(3 * PLACES):
        await shop.happen(f"pay_{number}")
    await shop.dispatch()
    wire = Instant()
    worker = Unhurried(shop.till.executor, shop.till.business, shop.till.clock, sender=wire)
    worker.free = asyncio.Event()
    for _ in range(4):
        await worker.step(shop.till.now)
        await turns()
    assert wire.taken == taken
    worker.free.set()
    await worker.ended()
    while await worker.step(shop.till.now) <= shop.till.now:
        await worker.ended()
    assert (wire.taken, worker.counts["delivered"]) == (3 * PLACES, 3 * PLACES)
    await worker.aclose()


class Book:
    """Stands for the database: it notes what is recorded together, and lets the test decide when."""

    def __init__(self) -> None:
        self.written: list[list[str]] = []
        self.free = asyncio.Event()
        self.refused: dict[str, Exception] = {}

    async def write(self, attempts: Sequence[Attempt]) -> list[DeliveryState | None]:
        names = [attempt.answer.response or "" for attempt in attempts]
        self.written.append(names)
        await self.free.wait()
        for name in names:
            if name in self.refused:
                raise self.refused[name]
        return [DELIVERED for _ in names]


@pytest.fixture
async def attempt(shop: Shopfront) -> Attempt:
    endpoint = await shop.listen("https://receiver.test/hook")
    await shop.happen("pay_1")
    await shop.dispatch()
    (assignment,) = await claimed(shop, endpoint.id)
    return made(assignment)


def named(attempt: Attempt, name: str) -> Attempt:
    return evolve(attempt, answer=evolve(attempt.answer, response=name))


def recording(recorder: Recorder, attempt: Attempt, names: str) -> list[asyncio.Task[DeliveryState | None]]:
    return [asyncio.create_task(recorder.record(named(attempt, name))) for name in names]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_attempts_that_end_during_a_transaction_go_into_the_next_one(attempt: Attempt) -> None:
    book = Book()
    recorder = Recorder(book.write)
    waiting = recording(recorder, attempt, "a")
    await turns()
    waiting += recording(recorder, attempt, "bcd")
    await turns()
    assert book.written == [["a"]]
    book.free.set()
    assert await asyncio.gather(*waiting) == [DELIVERED] * 4
    assert book.written == [["a"], ["b", "c", "d"]]
    assert await recorder.record(named(attempt, "e")) is DELIVERED


async def test_an_attempt_that_cant_be_recorded_concerns_no_other(attempt: Attempt) -> None:
    book = Book()
    book.refused["b"] = ValueError("it can't be written")
    book.free.set()
    waiting = recording(Recorder(book.write), attempt, "abc")
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results == [DELIVERED, book.refused["b"], DELIVERED]


async def test_while_the_database_is_away_no_attempt_is_tried_alone(attempt: Attempt) -> None:
    book = Book()
    book.refused["b"] = DatabaseUnavailable("away")
    book.free.set()
    waiting = recording(Recorder(book.write), attempt, "abc")
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results == [book.refused["b"]] * 3
    assert book.written == [["a", "b", "c"]]


async def test_an_attempt_whose_task_is_cancelled_is_not_recorded(attempt: Attempt) -> None:
    book = Book()
    recorder = Recorder(book.write)
    waiting = recording(recorder, attempt, "a")
    await turns()
    waiting += recording(recorder, attempt, "bc")
    await turns()
    waiting[1].cancel()
    book.free.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert book.written == [["a"], ["c"]]
