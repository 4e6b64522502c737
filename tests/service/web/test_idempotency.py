"""The same request sent again gets the same answer, and changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Table, func, select

from bakong_service.operations.idempotency import Once, Success
from bakong_service.storage import idempotency
from bakong_service.storage.engine.executor import Executor, connect
from bakong_service.storage.idempotency import Claim, Kept
from bakong_service.storage.schema import idempotency_keys, payments
from bakong_service.web.http.service import Service
from kit.service import ServiceOf, client_of

pytestmark = pytest.mark.anyio

COFFEE = {"amount": "2.50", "currency": "USD"}
PATH = "/v1/payments"


async def count(service: Service, table: Table) -> int:
    return await service.executor.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())


async def test_a_repeated_create_makes_one_payment_and_tells_it_again(
    client: httpx.AsyncClient, service: Service
) -> None:
    headers = {"Idempotency-Key": "order-42"}
    first = await client.post(PATH, json=COFFEE, headers=headers)
    again = await client.post(PATH, json=COFFEE, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await count(service, payments) == 1


async def test_the_order_of_members_makes_no_other_request(client: httpx.AsyncClient, service: Service) -> None:
    headers = {"Idempotency-Key": "order-42", "Content-Type": "application/json"}
    await client.post(PATH, content='{"amount": "1", "currency": "USD"}', headers=headers)
    again = await client.post(PATH, content='{"currency":"USD","amount":"1"}', headers=headers)
    assert again.headers["idempotency-replayed"] == "true"


async def test_twins_at_the_same_moment_make_one_payment(client: httpx.AsyncClient, service: Service) -> None:
    """A create that is retried must not make a second QR."""
    headers = {"Idempotency-Key": "order-42"}
    answers = await asyncio.gather(*(client.post(PATH, json=COFFEE, headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["reference"] for answer in answers}) == 1
    assert await count(service, payments) == 1


async def test_a_key_whose_answer_ends_at_this_moment_is_told_as_under_way(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "order-42"}
    await client.post(PATH, json=COFFEE, headers=headers)
    monkeypatch.setattr(idempotency, "find", lambda *_: None)  # it was there when the key was claimed
    again = await client.post(PATH, json=COFFEE, headers=headers)
    assert (again.status_code, again.json()["code"], again.headers["retry-after"]) == (
        409,
        "idempotency_in_progress",
        "1",
    )
    assert await count(service, payments) == 1


async def test_an_answer_is_found_after_a_commit_whose_own_was_lost(service: Service) -> None:
    claim = Claim(family="main", route="POST /v1/payments", key="order-42")
    once = Once(
        claim=claim,
        fingerprint="of the request",
        now=service.clock.now(),
        operation=lambda _: Success(201, {"reference": "pay_1"}),
        seal=lambda text, _: text.encode(),
    )
    assert await service.executor.read(once.committed) is None  # it was not committed
    made = await service.executor.run(once.run)
    assert made == (Kept("of the request", 201, b'{"reference":"pay_1"}'), False)
    assert await service.executor.read(once.committed) == made


async def test_a_key_is_good_for_one_request_only(client: httpx.AsyncClient, service: Service) -> None:
    headers = {"Idempotency-Key": "order-42"}
    await client.post(PATH, json=COFFEE, headers=headers)
    other = await client.post(PATH, json={**COFFEE, "amount": "3"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await count(service, payments) == 1


async def test_what_was_refused_isnt_kept(client: httpx.AsyncClient, service: Service) -> None:
    headers = {"Idempotency-Key": "order-42"}
    refused = await client.post(PATH, json={"user_id": "u", "plan": "GOLD"}, headers=headers)
    assert refused.status_code == 422
    assert await count(service, idempotency_keys) == 0
    assert (await client.post(PATH, json=COFFEE, headers=headers)).status_code == 201


async def test_a_key_is_forgotten_after_seven_days(client: httpx.AsyncClient, service: Service) -> None:
    headers = {"Idempotency-Key": "order-42"}
    first = await client.post(PATH, json=COFFEE, headers=headers)
    service.clock.offset = timedelta(days=7, seconds=1)
    again = await client.post(PATH, json=COFFEE, headers=headers)
    assert again.json()["reference"] != first.json()["reference"]


async def test_the_kept_answer_is_encrypted(client: httpx.AsyncClient, service: Service) -> None:
    await client.post(PATH, json=COFFEE, headers={"Idempotency-Key": "order-42"})
    kept = await service.executor.read(lambda c: c.execute(select(idempotency_keys.c.body_enc)).scalar_one())
    assert b"000201" not in kept
    assert b"pay_" not in kept


async def test_live_mode_asks_for_a_key(service_of: ServiceOf) -> None:
    live = service_of(MODE="live", BAKONG_BASE_URL="https://api-bakong.nbc.gov.kh")
    async with client_of(live) as client:
        without = await client.post(PATH, json=COFFEE)
        assert (without.status_code, without.json()["code"]) == (400, "idempotency_key_required")
        assert (await client.post(PATH, json=COFFEE, headers={"Idempotency-Key": "1"})).status_code == 201


async def test_a_retry_with_the_rotated_api_key_gets_the_stored_answer(
    client: httpx.AsyncClient, service: Service
) -> None:
    """In the day of a rotation both keys are in use: a retry may go out with the other one, either way."""
    wanted = {"name": "till", "scopes": ["payments:write"]}
    first = (await client.post("/v1/keys", json=wanted)).json()
    second = (await client.post(f"/v1/keys/{first['key_id']}/rotate")).json()
    third = (await client.post(f"/v1/keys/{second['key_id']}/rotate")).json()
    answers = []
    for key, name in ((first, "1"), (second, "1"), (third, "1"), (third, "2"), (first, "2")):
        async with client_of(service, key=key["key"]) as till:
            answers.append(await till.post(PATH, json=COFFEE, headers={"Idempotency-Key": name}))
    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.content for answer in answers[:3]}) == len({answer.content for answer in answers[3:]}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true", "true", None, "true"]
    assert await count(service, payments) == 2


async def test_keys_that_no_rotation_joins_have_idempotency_keys_of_their_own(
    client: httpx.AsyncClient, service: Service
) -> None:
    wanted = {"name": "till", "scopes": ["payments:write"]}
    for _ in range(2):
        key = (await client.post("/v1/keys", json=wanted)).json()["key"]
        async with client_of(service, key=key) as till:
            answer = await till.post(PATH, json=COFFEE, headers={"Idempotency-Key": "1"})
            assert "idempotency-replayed" not in answer.headers
    assert await count(service, payments) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9"])
async def test_a_key_is_printable_ascii_of_up_to_255(client: httpx.AsyncClient, key: str) -> None:
    response = await client.post(PATH, json=COFFEE, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


class TestTwinsOnPostgresql:
    @pytest.fixture
    def database_url(self, postgresql_url: str) -> str:
        return postgresql_url

    @pytest.fixture
    async def executor(self, database_url: str) -> AsyncIterator[Executor]:
        """An executor with the service's own limits: five seconds for a statement."""
        executor = connect(database_url)
        await executor.start()
        yield executor
        await executor.close()

    @pytest.mark.postgres
    async def test_a_twin_that_takes_longer_than_five_seconds_is_a_409(
        self, client: httpx.AsyncClient, database_url: str
    ) -> None:
        import asyncpg

        other = await asyncpg.connect(database_url)
        held = other.transaction()
        await held.start()
        await other.execute(
            "INSERT INTO idempotency_keys (family, route, key, fingerprint, status, body_enc, expires_at) "
            "VALUES ('main', 'POST /v1/payments', 'order-42', '', 0, '', 9000000000000000)"
        )
        refused = await client.post(PATH, json=COFFEE, headers={"Idempotency-Key": "order-42"})
        assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_in_progress")
        await held.rollback()
        await other.close()
        assert (await client.post(PATH, json=COFFEE, headers={"Idempotency-Key": "order-42"})).status_code == 201
