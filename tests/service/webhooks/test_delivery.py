"""From an event to the endpoints that want it: at least once, signed, in the order of its subject."""

import asyncio
import json
from datetime import timedelta
from email.utils import format_datetime

import pytest
from attrs import evolve
from sqlalchemy import select

from bakong_service import webhooks
from bakong_service.domain.delivery import SCHEDULES, DeliveryState
from bakong_service.operations.webhooks import dispatching
from bakong_service.storage import audit, schema
from bakong_service.storage.webhooks import delivery_records, outbox
from bakong_service.vault import Vault
from bakong_service.workers.delivery import PLACES
from kit.clocks import BEGIN
from kit.receiver import Receiver, Request, told
from kit.shopfront import Shopfront
from kit.there import there

pytestmark = pytest.mark.anyio
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PENDING, DELIVERED, FAILED = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.FAILED


def heard(receiver: Receiver) -> list[tuple[str, int]]:
    return [(event["subject"], event["sequence"]) for event in map(json.loads, (r.body for r in receiver.requests))]


async def test_an_event_arrives_signed_at_the_endpoint(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url, secret=SECRET)
    reference = await shop.happen("pay_1", "payment.paid", amount="0.50", description="កាហ្វេ")
    await shop.deliver()
    (request,) = receiver.requests
    event = webhooks.verify(request.body, request.headers, SECRET, now=shop.till.now)
    assert event == {
        "id": reference,
        "type": "payment.paid",
        "api_version": "2026-11-01",
        "timestamp": "2026-11-01T12:00:00.000Z",
        "subject": "pay_1",
        "sequence": 1,
        "previous_status": "pending",
        "data": {"reference": "pay_1", "amount": "0.50", "description": "កាហ្វេ"},
    }
    assert request.headers["webhook-id"] == reference
    assert request.headers["content-type"] == "application/json"
    assert request.target == "/hook"
    assert await shop.states() == [DELIVERED]


async def test_an_event_that_was_rolled_back_is_told_to_nobody(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url)

    def fails(connection: object) -> None:
        raise LookupError("after the event was written")

    with pytest.raises(LookupError):
        await shop.happen("pay_1", and_then=fails)
    await shop.deliver()
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("wanted", "arrives"), [((), True), (("payment.paid",), True), (("payment.failed", "endpoint.disabled"), False)]
)
async def test_an_endpoint_gets_the_types_that_it_asked_for(
    shop: Shopfront, receiver: Receiver, wanted: tuple[str, ...], arrives: bool
) -> None:
    await shop.listen(receiver.url, event_types=frozenset(wanted))
    await shop.happen(kind="payment.paid")
    await shop.deliver()
    assert len(receiver.requests) == arrives


async def test_each_endpoint_gets_an_event_once_with_its_own_signature(shop: Shopfront, receiver: Receiver) -> None:
    secrets = [(await shop.listen_with_secret(f"{receiver.url}/{n}"))[1] for n in range(3)]
    await shop.happen()
    await shop.deliver()
    await shop.deliver()
    assert sorted(request.target for request in receiver.requests) == ["/hook/0", "/hook/1", "/hook/2"]
    for request in receiver.requests:
        secret = secrets[int(request.target[-1])]
        webhooks.verify(request.body, request.headers, secret, now=shop.till.now)


async def test_a_receiver_need_not_know_of_the_test_clock(shop: Shopfront, receiver: Receiver) -> None:
    shop.till.clock.offset = timedelta(days=100)
    await shop.listen(receiver.url, secret=SECRET)
    await shop.happen()
    date = format_datetime(shop.till.clock.world() + timedelta(minutes=9), usegmt=True)
    receiver.answers = [told(503, f"retry-after: {date}")]
    await shop.deliver()
    (request,) = receiver.requests
    webhooks.verify(request.body, request.headers, SECRET, now=shop.till.clock.world())
    (delivery,) = await shop.deliveries()
    assert there(delivery.next_attempt_at) - shop.till.now == timedelta(seconds=2)  # twice the step, which is the most


async def test_an_answer_that_isnt_2xx_is_tried_again_with_the_same_id_and_body(
    shop: Shopfront, receiver: Receiver
) -> None:
    await shop.listen(receiver.url, secret=SECRET)
    for code in (301, 302, 307, 308, 400, 404, 429, 500, 503):
        receiver.requests.clear()
        receiver.answers = [told(code, f"location: {receiver.url}/elsewhere", body=b"no")]
        event = await shop.happen(f"pay_{code}")
        await shop.deliver()
        (delivery,) = await shop.deliveries(event=event)
        assert (delivery.state, delivery.attempts, delivery.last_status) == (PENDING, 1, code)
        shop.till.later(seconds=2)
        await shop.deliver()
        first, second = receiver.requests
        assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
        assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
        assert [request.target for request in receiver.requests] == ["/hook", "/hook"]  # a redirect is never followed
        webhooks.verify(second.body, second.headers, SECRET, now=shop.till.now)
        tried = await shop.till.read(delivery_records.attempts, delivery.reference)
        assert [(attempt.status, attempt.response) for attempt in tried] == [(code, "no"), (204, None)]
    assert set(await shop.states()) == {DELIVERED}


async def test_compat_tries_at_0_1_2_and_4_seconds_and_then_has_failed_and_says_so(
    shop: Shopfront, receiver: Receiver
) -> None:
    receiver.answer = told(500, "retry-after: 3600")
    shop.restart(schedule=SCHEDULES["compat"])
    endpoint = await shop.listen(receiver.url)
    await shop.happen()
    at = []
    for _ in range(200):
        before = len(receiver.requests)
        await shop.deliver()
        at += [(shop.till.now - BEGIN).total_seconds()] * (len(receiver.requests) - before)
        shop.till.later(seconds=0.1)
    assert at == pytest.approx([0, 1, 3, 7])  # 1, 2 and 4 s apart
    (delivery,) = await shop.deliveries()
    assert (delivery.state, delivery.attempts, delivery.next_attempt_at) == (FAILED, 4, None)
    entries = await shop.till.executor.read(lambda c: audit.page(c, limit=10, subject=delivery.event))
    assert [entry.action for entry in entries] == ["webhook.failed"]
    assert entries[0].details == {"endpoint": endpoint.reference, "attempts": 4, "status": 500, "error": None}


async def test_the_default_schedule_ends_in_a_dead_letter_after_13_attempts(
    shop: Shopfront, receiver: Receiver
) -> None:
    receiver.answer = told(500)
    await shop.listen(receiver.url)
    await shop.happen()
    await shop.deliver()
    while (delivery := (await shop.deliveries())[0]).state is PENDING:
        shop.till.at(delivery.next_attempt_at)
        await shop.deliver()
    assert (delivery.state, delivery.attempts) == (FAILED, 13)
    assert timedelta(days=2.5) < shop.till.now - BEGIN < timedelta(days=4)


async def test_retry_after_is_kept_to_within_twice_the_step(shop: Shopfront, receiver: Receiver) -> None:
    receiver.answers = [told(503, "retry-after: 3600")]
    await shop.listen(receiver.url)
    await shop.happen()
    await shop.deliver()
    (delivery,) = await shop.deliveries()
    assert delivery.next_attempt_at == shop.till.now + timedelta(seconds=2)


async def test_events_of_one_subject_arrive_in_order_and_hold_up_no_other_subject(
    shop: Shopfront, receiver: Receiver
) -> None:
    receiver.answers = [told(500)]
    await shop.listen(receiver.url)
    await shop.happen("pay_1")
    await shop.deliver()  # fails
    for subject in ("pay_1", "pay_2", "pay_1"):
        await shop.happen(subject)
    await shop.deliver()
    assert heard(receiver) == [("pay_1", 1), ("pay_2", 1)]
    shop.till.later(seconds=2)
    await shop.deliver()
    assert heard(receiver) == [("pay_1", 1), ("pay_2", 1), ("pay_1", 1), ("pay_1", 2), ("pay_1", 3)]


async def test_a_dead_letter_doesnt_hold_up_what_comes_after_it(shop: Shopfront, receiver: Receiver) -> None:
    shop.restart(schedule=SCHEDULES["compat"])
    receiver.answers = [told(500)] * 4
    await shop.listen(receiver.url)
    await shop.happen("pay_1")
    await shop.happen("pay_1")
    for _ in range(8):
        await shop.deliver()
        shop.till.later(seconds=1)
    assert heard(receiver) == [("pay_1", 1)] * 4 + [("pay_1", 2)]
    assert await shop.states() == [FAILED, DELIVERED]


async def test_one_hanging_endpoint_slows_no_other(shop: Shopfront, receiver: Receiver) -> None:
    hung = asyncio.Event()

    async def by_target(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.target == "/hook/hangs":
            await hung.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    receiver.answer = by_target
    await shop.listen(f"{receiver.url}/hangs")
    await shop.listen(f"{receiver.url}/fast")
    for number in range(3 * PLACES):
        await shop.happen(f"pay_{number}")
    await shop.dispatch()
    for _ in range(2000):
        await shop.deliverer.step(shop.till.now)
        if sum(request.target == "/hook/fast" for request in receiver.requests) == 3 * PLACES:
            break
        await asyncio.sleep(0.001)  # lets the posts that are under way go on
    targets = [request.target for request in receiver.requests]
    assert (targets.count("/hook/fast"), targets.count("/hook/hangs")) == (3 * PLACES, PLACES)
    hung.set()
    await shop.deliver()
    assert set(await shop.states()) == {DELIVERED}


async def test_two_workers_never_make_the_same_attempt(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url)
    for number in range(100):
        await shop.happen(f"pay_{number}")
    await shop.dispatch()
    other = shop.another_worker()
    await asyncio.gather(*(worker.step(shop.till.now) for worker in (shop.deliverer, other) for _ in range(3)))
    await shop.deliverer.ended()
    await other.aclose()
    await shop.deliver()
    assert len(receiver.requests) == 100
    assert len(set(heard(receiver))) == 100


async def test_while_another_dispatcher_is_at_it_nothing_is_placed(
    shop: Shopfront, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.happen()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(outbox, "take_dispatching", lambda connection: False)
        assert await shop.till.do(dispatching.dispatch) == 0
    assert await shop.till.do(dispatching.dispatch) == 1


class TestDispatchersOnPostgresql:
    """A SQLite file has one writer, so it has one dispatcher at a time."""

    @pytest.fixture
    def database_url(self, postgresql_url: str) -> str:
        return postgresql_url

    @pytest.mark.postgres
    async def test_a_second_one_leaves_the_first_alone(self, shop: Shopfront, database_url: str) -> None:
        import asyncpg

        await shop.happen()
        other = await asyncpg.connect(database_url)
        held = other.transaction()
        await held.start()
        await other.execute(f"SELECT pg_advisory_xact_lock({outbox._DISPATCHING})")
        assert await shop.till.do(dispatching.dispatch) == 0
        await held.rollback()
        await other.close()
        assert await shop.till.do(dispatching.dispatch) == 1


async def test_attempts_are_forgotten_after_90_days_and_deliveries_are_not(shop: Shopfront, receiver: Receiver) -> None:
    receiver.answers = [told(500)]
    await shop.listen(receiver.url)
    await shop.happen("pay_1")
    await shop.deliver()
    shop.till.later(days=89)
    await shop.deliver()
    shop.till.later(days=2)
    assert await shop.forget_attempts() == 1
    assert await shop.forget_attempts() == 0
    (delivery,) = await shop.deliveries()
    tried = await shop.till.executor.read(lambda c: delivery_records.attempts(c, delivery.reference))
    assert [attempt.status for attempt in tried] == [204]


async def test_a_secret_that_doesnt_open_is_its_endpoints_trouble_alone(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(f"{receiver.url}/lost")
    shop.till.business = evolve(
        shop.till.business, vault=Vault({"2": b"n" * 32}, b"pepper")
    )  # the ring lost its old key
    shop.restart()
    await shop.listen(f"{receiver.url}/fine")
    await shop.happen()
    await shop.deliver()
    assert [request.target for request in receiver.requests] == ["/hook/fine"]
    errors = sorted(row.last_error or "" for row in await shop.deliveries())
    assert errors[0] == ""
    assert "is sealed with the key 'k1', which isn't in the ring" in errors[1]


async def test_no_secret_is_kept_in_clear(shop: Shopfront, receiver: Receiver) -> None:
    await shop.listen(receiver.url, secret=SECRET)
    blobs = await shop.till.executor.read(
        lambda c: c.execute(select(schema.endpoint_secrets.c.secret_enc)).scalars().all()
    )
    assert len(blobs) == 1
    assert SECRET.encode() not in blobs[0]
    assert SECRET.removeprefix("whsec_").encode() not in blobs[0]
