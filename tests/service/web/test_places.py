"""Strangers, keys and streams have places of their own, and nobody waits for one for long."""

import asyncio

import httpx
import pytest
from attrs import evolve

from bakong_service.web.http.places import NoPlace, Place, Places
from bakong_service.web.http.server import BOUNDS
from bakong_service.web.http.service import Service
from kit.service import client_of

pytestmark = pytest.mark.anyio

FEW = evolve(
    BOUNDS, at_work_by_address=1, at_work_without_key=2, at_work_by_key=1, streams_by_key=1, streams=2,
    queue_seconds=0.05, queue_length=2, refusal_seconds=0,
)  # fmt: skip


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def test_a_name_has_so_many_places_and_another_name_its_own() -> None:
    places = Places(FEW)
    await places.take(places.by_address, "a")
    with pytest.raises(NoPlace, match="this address may have 1 at once, and all together 2"):
        await places.take(places.by_address, "a")
    await places.take(places.by_address, "b")
    with pytest.raises(NoPlace):
        await places.take(places.by_address, "c")  # all names together
    await places.take(places.by_key, "a")


async def test_a_place_that_gets_free_goes_to_who_waits_longest() -> None:
    places = Places(FEW)
    await places.take(places.by_address, "a")
    waiting = [asyncio.create_task(places.take(places.by_address, "a")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(NoPlace):
        await places.take(places.by_address, "a")  # the queue is full: refused at once
    places.leave(places.by_address, "a")
    await waiting[0]
    assert not waiting[1].done()
    places.leave(places.by_address, "a")
    await waiting[1]
    places.leave(places.by_address, "a")
    assert places.taken(places.by_address) == 0


async def test_a_place_that_gets_free_goes_to_another_name_too() -> None:
    places = Places(FEW)
    await places.take(places.by_address, "a")
    await places.take(places.by_address, "b")
    waiting = asyncio.create_task(places.take(places.by_address, "c"))
    await asyncio.sleep(0)
    places.leave(places.by_address, "a")
    await waiting
    assert places.taken(places.by_address, "c") == 1


async def test_who_leaves_the_queue_takes_no_place_along() -> None:
    places = Places(FEW)
    await places.take(places.by_address, "a")
    waiting = asyncio.create_task(places.take(places.by_address, "a"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    places.leave(places.by_address, "a")
    assert places.taken(places.by_address) == 0


@pytest.mark.parametrize("next_comes", [False, True])
async def test_a_place_may_get_free_at_the_moment_when_the_time_to_wait_runs_out(next_comes: bool) -> None:
    places = Places(evolve(FEW, queue_seconds=0))
    kind = places.by_address

    def take_at_once() -> None:
        with pytest.raises(StopIteration):
            places.take(kind, "a").send(None)

    await places.take(kind, "a")
    waiting = asyncio.create_task(places.take(kind, "a"))
    await asyncio.sleep(0)  # it waits; its time-out runs as the loop's next step
    loop = asyncio.get_running_loop()
    loop.call_soon(places.leave, kind, "a")  # after the time-out, and before the request hears of it
    if next_comes:
        loop.call_soon(take_at_once)
    with pytest.raises(NoPlace):
        await waiting
    if next_comes:
        assert places.taken(kind, "a") == 1  # the next request keeps its place
        places.leave(kind, "a")
    assert places.taken(kind) == 0


async def test_strangers_that_take_every_place_leave_health_and_keys_served(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, service: Service
) -> None:
    service.places.bounds = FEW
    for address in ("203.0.113.1", "127.0.0.1"):
        await service.places.take(service.places.by_address, address)
    refused = await stranger.get("/docs")
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert (await stranger.get("/health/live")).status_code == 200
    assert (await stranger.get("/health/ready")).status_code == 200
    assert (await client.get("/v1/payments")).status_code == 200
    assert (await client.get("/metrics")).status_code == 200


async def test_a_key_that_takes_every_stream_still_makes_payments(client: httpx.AsyncClient, service: Service) -> None:
    service.places.bounds = FEW
    made = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    await service.places.take(service.places.streams, "main")
    for path in (f"/v1/payments/{made['reference']}?wait=1", made["links"]["events"], made["links"]["deeplink"]):
        refused = await client.get(path)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded"), path
    assert (await client.get(f"/v1/payments/{made['reference']}")).status_code == 200
    assert (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).status_code == 201


async def test_a_key_that_was_good_needs_no_place_among_strangers(service: Service) -> None:
    async with client_of(service) as main:
        text = (await main.post("/v1/keys", json={"name": "n", "scopes": ["payments:read"]})).json()["key"]
    async with client_of(service, key=text) as friend:
        assert (await friend.get("/v1/payments")).status_code == 200
        service.places.bounds = FEW
        await service.places.take(service.places.by_address, "127.0.0.1")
        assert (await friend.get("/v1/payments")).status_code == 200
        await service.executor.run(
            lambda c: c.exec_driver_sql("UPDATE api_keys SET revoked_at = created_at"),
        )
        assert (await friend.get("/v1/payments")).status_code == 401


async def test_every_place_is_given_back(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, service: Service
) -> None:
    for each in (client, stranger):
        for path in ("/docs", "/v1/payments", "/v1/payments/x/events", "/nowhere", "/metrics", "/health/ready"):
            await each.get(path)
    places = service.places
    for kind in (places.by_address, places.by_key, places.streams, places.metrics):
        assert places.taken(kind) == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["no key", "a wrong key"])
async def test_a_stranger_who_asks_too_often_waits_for_the_refusal_and_holds_no_place(
    service: Service, headers: dict[str, str]
) -> None:
    """A stranger who was refused at once asked again at once, and a thousand of them took all the time of a process."""
    late = evolve(
        service,
        settings=evolve(service.settings, rate_limit="2/hour"),
        places=Places(evolve(BOUNDS, refusal_seconds=3600)),
    )
    async with client_of(late, key=None) as stranger:
        asked = [asyncio.create_task(stranger.get("/v1/payments", headers=headers)) for _ in range(14)]
        _, waiting = await asyncio.wait(asked, timeout=2)
        assert len(waiting) == (4 if headers else 12)
        assert late.places.taken(late.places.by_address) == 0
        async with client_of(late) as friend:
            assert (await friend.get("/v1/payments")).status_code == 200
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)


async def test_a_caller_who_waits_for_a_refusal_is_not_read() -> None:
    """A thousand callers who went on asking meanwhile took as much time as if they had been answered."""
    paused: list[bool] = []
    place = Place(Places(FEW), lambda: paused.append(True))
    await place.linger()
    assert paused == [True]
