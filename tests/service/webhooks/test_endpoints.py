"""Endpoints: made, changed, rotated, given up, enabled again, deleted; and the one that the settings keep."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from bakong_service import webhooks
from bakong_service.domain.delivery import SCHEDULES, DeliveryState
from bakong_service.domain.endpoint import MOST_ENDPOINTS, Endpoint, EndpointChange, EndpointState, NewEndpoint
from bakong_service.domain.errors import Conflict, Invalid, NotFound
from bakong_service.operations.webhooks import endpoints as operations
from bakong_service.storage import audit
from bakong_service.storage.webhooks import endpoints, outbox
from bakong_service.webhooks import InvalidSignature
from kit.clocks import BEGIN
from kit.receiver import Receiver, Request, told
from kit.shopfront import Shopfront
from kit.there import there

pytestmark = pytest.mark.anyio
T = TypeVar("T")
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a text that is long enough for a secret"
PENDING, DELIVERED, CANCELLED = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.CANCELLED


def run(shop: Shopfront, operation: Callable[..., T], *args: Any, **options: Any) -> Awaitable[T]:
    """An operation on the shop, as the user."""
    return shop.till.do(operation, *args, **options)


def get(shop: Shopfront, reference: str) -> Awaitable[Endpoint]:
    return shop.till.read(operations.get, reference)


def good_secrets(request: Request, shop: Shopfront, *secrets: str) -> list[bool]:
    """Which of the secrets verify a request."""

    def verifies(secret: str) -> bool:
        try:
            webhooks.verify(request.body, request.headers, secret, now=shop.till.now)
        except InvalidSignature:
            return False
        return True

    return [verifies(secret) for secret in secrets]


async def actions(shop: Shopfront, subject: str) -> list[str]:
    entries = await shop.till.executor.read(lambda c: audit.page(c, limit=100, subject=subject))
    return [entry.action for entry in reversed(entries)]


async def test_a_new_endpoint_shows_its_secret_once(shop: Shopfront) -> None:
    endpoint, secret = await shop.listen_with_secret("https://example.com/hook")
    assert (
        webhooks.verify(b"{}", webhooks.sign("evt_1", b"{}", [secret], at=shop.till.now), secret, now=shop.till.now)
        == {}
    )
    assert secret.startswith("whsec_")
    assert (endpoint.state, endpoint.version) == (EndpointState.ENABLED, 1)
    assert await get(shop, endpoint.reference) == endpoint
    entries = await shop.till.executor.read(lambda c: audit.page(c, limit=10))
    assert [entry.action for entry in entries] == ["endpoint.created"]
    assert secret not in str(entries)
    assert secret not in repr(NewEndpoint(url="https://example.com", secret=secret))


BAD = [
    (NewEndpoint(url="http://10.0.0.1/"), "/url", "invalid_url"),
    (NewEndpoint(url="https://user:pw@example.com/"), "/url", "invalid_url"),
    (NewEndpoint(url="https://a.com/", description="x" * 201), "/description", "too_long"),
    (NewEndpoint(url="https://a.com/", event_types=frozenset({"lost"})), "/event_types", "unknown_event_type"),
    (NewEndpoint(url="https://a.com/", secret="short"), "/secret", "invalid_secret"),
]


async def test_a_bad_endpoint_is_refused_with_its_place_and_nothing_is_written(shop: Shopfront) -> None:
    for bad, pointer, code in BAD:
        with pytest.raises(Invalid) as caught:
            await run(shop, operations.create, bad)
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [(pointer, code)]
        assert bad.secret is None or bad.secret not in str(caught.value)
    assert await shop.till.executor.read(endpoints.every) == []


async def test_every_fault_is_told_at_once(shop: Shopfront) -> None:
    request = NewEndpoint(url="x", description="x" * 201, event_types=frozenset({"x"}), secret="x")
    with pytest.raises(Invalid) as caught:
        await run(shop, operations.create, request)
    assert len(caught.value.faults) == 4


async def test_there_is_an_end_to_endpoints(shop: Shopfront) -> None:
    for number in range(MOST_ENDPOINTS):
        await shop.listen(f"https://example.com/{number}")
    with pytest.raises(Conflict, match="50 endpoints already"):
        await shop.listen("https://example.com/one-more")


async def test_an_endpoint_is_changed_in_what_was_given_and_no_more(shop: Shopfront) -> None:
    endpoint = await shop.listen("https://example.com/hook")
    shop.till.later(seconds=5)
    changed = await run(shop, operations.change, endpoint.reference, EndpointChange(description="Mine"))
    assert (changed.url, changed.description, changed.version) == (endpoint.url, "Mine", 2)
    assert changed.listening_since == endpoint.listening_since
    types = frozenset({"payment.paid"})
    changed = await run(shop, operations.change, endpoint.reference, EndpointChange(event_types=types))
    assert (changed.description, changed.event_types, changed.version) == ("Mine", types, 3)
    assert changed.listening_since == shop.till.now
    with pytest.raises(Invalid):
        await run(shop, operations.change, endpoint.reference, EndpointChange(url="ftp://example.com/"))


async def test_an_endpoint_that_isnt_there_is_not_found(shop: Shopfront) -> None:
    for operation in (operations.enable, operations.delete, operations.rotate, operations.test):
        with pytest.raises(NotFound, match="there is no endpoint we_1"):
            await run(shop, operation, "we_1")


async def test_for_24_hours_after_a_rotation_both_secrets_sign(shop: Shopfront, receiver: Receiver) -> None:
    endpoint, old = await shop.listen_with_secret(receiver.url)
    shop.till.later(seconds=1)
    _, new = await run(shop, operations.rotate, endpoint.reference)
    assert new != old
    for seconds in (0, 24 * 3600 - 1, 1):
        shop.till.later(seconds=seconds)
        await shop.happen()
        await shop.deliver()
    during, still, after = receiver.requests
    assert len(during.headers["webhook-signature"].split()) == 2
    assert good_secrets(during, shop, old, new) == [False, False]  # signed a day ago: too old by now
    assert len(still.headers["webhook-signature"].split()) == 2
    assert good_secrets(still, shop, old, new) == [True, True]
    assert good_secrets(after, shop, old, new) == [False, True]
    assert await actions(shop, endpoint.reference) == ["endpoint.created", "endpoint.rotated"]


async def test_a_rotation_takes_a_secret_of_the_callers_own(shop: Shopfront) -> None:
    endpoint = await shop.listen("https://example.com/")
    assert (await run(shop, operations.rotate, endpoint.reference, secret=OTHER))[1] == OTHER
    with pytest.raises(Invalid):
        await run(shop, operations.rotate, endpoint.reference, secret="short")


async def test_a_deleted_endpoint_is_called_no_more_and_its_secrets_are_gone(
    shop: Shopfront, receiver: Receiver
) -> None:
    endpoint = await shop.listen(receiver.url)
    await shop.happen()
    await shop.dispatch()
    await run(shop, operations.delete, endpoint.reference)
    await shop.happen()
    await shop.deliver()
    assert receiver.requests == []
    assert await shop.states() == [CANCELLED]
    with pytest.raises(NotFound):
        await get(shop, endpoint.reference)
    assert await shop.till.executor.read(lambda c: endpoints.secrets(c, [endpoint.id], now=shop.till.now)) == []


async def test_a_test_event_goes_to_its_endpoint_alone_whatever_types_it_wants(
    shop: Shopfront, receiver: Receiver
) -> None:
    await shop.listen(f"{receiver.url}/other")
    endpoint = await shop.listen(f"{receiver.url}/tested", event_types=frozenset({"payment.paid"}))
    reference = await run(shop, operations.test, endpoint.reference)
    await shop.deliver()
    (request,) = receiver.requests
    assert request.target == "/hook/tested"
    event = json.loads(request.body)
    assert (event["id"], event["type"], event["subject"]) == (reference, "endpoint.test", endpoint.reference)
    assert event["data"]["url"] == endpoint.url


async def test_410_disables_the_endpoint_at_once_and_tells_the_others(shop: Shopfront, receiver: Receiver) -> None:
    gone = await shop.listen(f"{receiver.url}/gone")
    await shop.happen("pay_1")
    await shop.happen("pay_2")
    receiver.answer = told(410)
    await shop.deliver()
    receiver.answer = told(204)
    other = await shop.listen(f"{receiver.url}/other")
    await shop.deliver()
    disabled = await get(shop, gone.reference)
    assert (disabled.state, disabled.disabled_reason) == (EndpointState.DISABLED, "gone")
    event = json.loads(receiver.requests[-1].body)
    assert receiver.requests[-1].target == "/hook/other"
    assert (event["type"], event["subject"], event["previous_status"]) == (
        "endpoint.disabled",
        gone.reference,
        "enabled",
    )
    assert (event["data"]["state"], event["data"]["disabled_reason"]) == ("disabled", "gone")
    told_once = await shop.till.executor.read(lambda c: outbox.feed(c, types=["endpoint.disabled"], limit=10))
    assert len(told_once) == 1
    assert (await actions(shop, gone.reference)).count("endpoint.disabled") == 1
    assert [row.endpoint for row in await shop.deliveries() if row.event_type == "endpoint.disabled"] == [
        other.reference
    ]


async def test_a_disabled_endpoint_collects_and_goes_on_in_order_when_enabled(
    shop: Shopfront, receiver: Receiver
) -> None:
    endpoint = await shop.listen(receiver.url)
    receiver.answers = [told(410)]
    await shop.happen("pay_1")
    await shop.deliver()
    for _ in range(3):
        await shop.happen("pay_1")
        shop.till.later(days=1)
        await shop.deliver()
    assert len(receiver.requests) == 1
    assert await shop.states() == [PENDING] * 4
    with pytest.raises(Conflict, match="is disabled"):
        await run(shop, operations.test, endpoint.reference)
    enabled = await run(shop, operations.enable, endpoint.reference)
    assert (enabled.state, enabled.disabled_reason, enabled.failures) == (EndpointState.ENABLED, None, 0)
    await shop.deliver()
    assert [json.loads(request.body)["sequence"] for request in receiver.requests] == [1, 1, 2, 3, 4]
    assert set(await shop.states()) == {DELIVERED}


async def test_an_endpoint_that_only_fails_is_disabled_after_5_days_and_20_attempts(
    shop: Shopfront, receiver: Receiver
) -> None:
    endpoint = await shop.listen(receiver.url)
    receiver.answer = told(500)
    for day in range(6):
        for number in range(5):
            await shop.happen(f"pay_{day}_{number}")
        await shop.deliver()
        state = (await get(shop, endpoint.reference)).state
        assert state is (EndpointState.DISABLED if day == 5 else EndpointState.ENABLED), day
        shop.till.later(days=1)
    disabled = await get(shop, endpoint.reference)
    assert disabled.disabled_reason == "failing"
    assert disabled.failing_since == BEGIN
    assert disabled.failures >= 20
    assert "endpoint.disabled" in await actions(shop, endpoint.reference)
    count = len(receiver.requests)
    await shop.deliver()
    assert len(receiver.requests) == count


async def test_one_success_starts_the_five_days_anew(shop: Shopfront, receiver: Receiver) -> None:
    endpoint = await shop.listen(receiver.url)
    for day in range(12):
        receiver.answer = told(204 if day == 4 else 500)
        for number in range(5):
            await shop.happen(f"pay_{day}_{number}")
        await shop.deliver()
        if day == 8:
            assert (await get(shop, endpoint.reference)).state is EndpointState.ENABLED
        shop.till.later(days=1)
    assert (await get(shop, endpoint.reference)).state is EndpointState.DISABLED


class TestDefault:
    """`WEBHOOK_URL` and `WEBHOOK_SECRET` keep an endpoint of their own."""

    async def start(self, shop: Shopfront, url: str | None, secret: str | None = SECRET) -> Endpoint:
        await shop.till.do(operations.ensure_default, url=url, secret=secret)
        return there(await shop.till.read(endpoints.by_name, "default"))

    async def test_it_is_made_at_the_first_start_and_left_alone_at_the_next(
        self, shop: Shopfront, receiver: Receiver
    ) -> None:
        made = await self.start(shop, receiver.url)
        assert await self.start(shop, receiver.url) == made
        await shop.happen()
        await shop.deliver()
        (request,) = receiver.requests
        assert len(request.headers["webhook-signature"].split()) == 1
        assert good_secrets(request, shop, SECRET) == [True]

    async def test_another_secret_is_a_rotation(self, shop: Shopfront, receiver: Receiver) -> None:
        await self.start(shop, receiver.url)
        await self.start(shop, receiver.url, OTHER)
        await shop.happen()
        await shop.deliver()
        assert good_secrets(receiver.requests[0], shop, SECRET, OTHER) == [True, True]

    async def test_another_url_is_where_events_go_from_then_on(self, shop: Shopfront, receiver: Receiver) -> None:
        first = await self.start(shop, f"{receiver.url}/old")
        receiver.answer = told(410)
        await shop.happen()
        await shop.deliver()
        receiver.answer = told(204)
        assert (await self.start(shop, f"{receiver.url}/old")).state is EndpointState.DISABLED
        second = await self.start(shop, f"{receiver.url}/new")
        assert (second.reference, second.state) == (first.reference, EndpointState.ENABLED)
        await shop.deliver()
        assert [request.target for request in receiver.requests] == ["/hook/old", "/hook/new"]

    async def test_without_a_url_it_rests_and_loses_nothing(self, shop: Shopfront, receiver: Receiver) -> None:
        await shop.till.do(operations.ensure_default, url=None, secret=None)
        assert await shop.till.read(endpoints.by_name, "default") is None
        made = await self.start(shop, receiver.url)
        for _ in range(2):
            rests = await self.start(shop, None, None)
            assert (rests.state, rests.disabled_reason) == (EndpointState.DISABLED, "not_configured")
        with pytest.raises(Conflict, match="WEBHOOK_URL isn't set"):
            await run(shop, operations.enable, made.reference)
        await shop.happen()
        await shop.deliver()
        assert receiver.requests == []
        await self.start(shop, receiver.url)
        await shop.deliver()
        assert len(receiver.requests) == 1

    async def test_a_bad_setting_is_refused(self, shop: Shopfront) -> None:
        for secret in ("short", "whsec_"):
            with pytest.raises(Invalid, match="a webhook secret"):
                await self.start(shop, "https://example.com/", secret)

    async def test_callers_may_not_change_it(self, shop: Shopfront) -> None:
        made = await self.start(shop, "https://example.com/")
        for operation, args in (
            (operations.change, (EndpointChange(url="https://example.com/other"),)),
            (operations.rotate, ()),
            (operations.delete, ()),
        ):
            with pytest.raises(Conflict, match="change the settings"):
                await run(shop, operation, made.reference, *args)

    async def test_two_processes_that_start_at_once_make_one(self, shop: Shopfront) -> None:
        await asyncio.gather(*(self.start(shop, "https://example.com/") for _ in range(8)))
        made = await shop.till.executor.read(endpoints.every)
        assert [endpoint.name for endpoint in made] == ["default"]
        assert len(await shop.till.executor.read(lambda c: endpoints.secrets(c, [made[0].id], now=shop.till.now))) == 1

    async def test_one_made_by_another_process_in_the_same_moment_is_kept(
        self, shop: Shopfront, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = await self.start(shop, "https://example.com/")
        with monkeypatch.context() as then:
            then.setattr(endpoints, "by_name", lambda *_, **__: None)  # as it looked before the other committed
            await shop.till.do(operations.ensure_default, url="https://example.com/", secret=OTHER)
        assert await shop.till.executor.read(endpoints.every) == [made]
        assert len(await shop.till.executor.read(lambda c: endpoints.secrets(c, [made.id], now=shop.till.now))) == 1


def test_schedules_are_named_as_the_setting_has_them() -> None:
    assert set(SCHEDULES) == {"default", "compat"}
