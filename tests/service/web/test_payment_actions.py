"""What a caller does with payments that exist: list them, wait for them, hint, cancel, and read what is on record."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.unit_of_work import UnitOfWork, transaction
from bakong_service.storage.payments import payments
from bakong_service.web.http.service import Service
from kit.service import client_of

pytestmark = pytest.mark.anyio

PATH = "/v1/payments"


async def made(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post(PATH, json={"amount": "1.00", "currency": "USD", **body})
    assert response.status_code == 201, response.text
    payment: dict[str, Any] = response.json()
    return payment


async def cancelled(service: Service, reference: str) -> None:
    await service.run(
        "user",
        lambda work: operations.cancel(
            work,
            reference,
            reason="test",
        ),
    )


class TestLists:
    async def test_pages_follow_each_other_newest_first_without_a_gap(self, client: httpx.AsyncClient) -> None:
        references = [(await made(client))["reference"] for _ in range(5)][::-1]
        seen, cursor = [], None
        for _ in range(3):
            query = {"limit": 2} | ({"starting_after": cursor} if cursor else {})
            page = (await client.get(PATH, params=query)).json()
            seen += [payment["reference"] for payment in page["data"]]
            cursor = page["next_cursor"]
        assert seen == references
        assert page["has_more"] is False
        before = (await client.get(PATH, params={"limit": 2, "ending_before": cursor})).json()
        assert [payment["reference"] for payment in before["data"]] == references[2:4]

    async def test_filters_narrow_the_list(self, client: httpx.AsyncClient, service: Service) -> None:
        mine, other = await made(client, user_id="me"), await made(client, user_id="other")
        await cancelled(service, mine["reference"])

        async def found(**query: str) -> list[str]:
            response = await client.get(PATH, params=query)
            assert response.status_code == 200, response.text
            return [payment["reference"] for payment in response.json()["data"]]

        assert await found(user_id="me") == [mine["reference"]]
        assert await found(status="cancelled") == [mine["reference"]]
        assert await found(status="pending") == [other["reference"]]
        assert await found(md5=other["md5"]) == [other["reference"]]
        assert await found(bill_number=other["bill_number"]) == [other["reference"]]
        assert await found(created_from=mine["created_at"]) == [other["reference"], mine["reference"]]
        assert await found(created_until="2020-01-01T00:00:00Z") == []
        assert await found(created_from="9999-01-01T00:00:00Z") == []

    async def test_a_cursor_is_good_for_its_own_list_only(self, client: httpx.AsyncClient) -> None:
        await made(client)
        cursor = (await client.get(PATH)).json()["next_cursor"]
        refused = await client.get("/v1/events", params={"starting_after": cursor})
        assert refused.json()["errors"][0]["code"] == "invalid_cursor"


class TestWaiting:
    async def test_a_version_that_is_known_is_not_sent_again(self, client: httpx.AsyncClient) -> None:
        here = f"{PATH}/{(await made(client))['reference']}"
        first = await client.get(here)
        again = await client.get(here, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

    async def test_a_long_poll_ends_with_the_change(self, client: httpx.AsyncClient, service: Service) -> None:
        reference = (await made(client))["reference"]
        etag = (await client.get(f"{PATH}/{reference}")).headers["etag"]
        waiting = asyncio.create_task(
            client.get(f"{PATH}/{reference}", params={"wait": 20}, headers={"If-None-Match": etag})
        )
        await asyncio.sleep(0)
        assert not waiting.done()
        await cancelled(service, reference)
        async with asyncio.timeout(5):
            answer = await waiting
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")

    async def test_a_long_poll_ends_when_the_process_stops(self, client: httpx.AsyncClient, service: Service) -> None:
        reference = (await made(client))["reference"]
        waiting = asyncio.create_task(client.get(f"{PATH}/{reference}", params={"wait": 20}))
        await asyncio.sleep(0)
        service.stopping.set()
        async with asyncio.timeout(5):
            assert (await waiting).json()["status"] == "pending"

    async def test_nobody_waits_longer_than_25_seconds(self, client: httpx.AsyncClient) -> None:
        reference = (await made(client))["reference"]
        assert (await client.get(f"{PATH}/{reference}", params={"wait": 26})).status_code == 422


class TestHints:
    async def test_a_hint_makes_the_next_look_soon(self, client: httpx.AsyncClient, service: Service) -> None:
        payment = await made(client)
        hinted = await client.post(f"{PATH}/{payment['reference']}/check")
        assert hinted.status_code == 202
        assert hinted.json()["next_check_reason"] == "hint"
        assert hinted.json()["next_check_at"] < payment["next_check_at"]

    async def test_a_hint_that_is_not_looked_at_is_not_accepted(
        self, client: httpx.AsyncClient, service: Service
    ) -> None:
        """202 promises a look. A cancelled payment's ten hints are used up here, and its watch goes on as before."""
        payment = await made(client)
        here = f"{PATH}/{payment['reference']}"
        for _ in range(10):
            assert (await client.post(f"{here}/check")).status_code == 202
            service.clock.offset += timedelta(seconds=10)
        await client.post(f"{here}/cancel")
        now = service.clock.now() + timedelta(minutes=1)
        seen = Outcome(answer=Answer.NOT_FOUND, asked_at=now)

        def settle(work: UnitOfWork) -> None:
            row = payments.by_reference(work.connection, payment["reference"])
            assert row is not None
            operations.settle(work, row.id, seen)

        await service.executor.run(transaction(service.business, "user", now, settle))
        refused = await client.post(f"{here}/check")
        assert (refused.status_code, refused.json()["next_check_reason"]) == (200, "look_back")

    async def test_an_operators_look_is_never_refused(self, client: httpx.AsyncClient, service: Service) -> None:
        here = f"{PATH}/{(await made(client))['reference']}"
        for _ in range(12):
            asked = await client.post(f"{here}/check", json={"by_operator": True})
            assert (asked.status_code, asked.json()["next_check_reason"]) == (202, "hint")
        new = {"name": "page", "scopes": ["payments:write"]}
        key = (await client.post("/v1/keys", json=new)).json()["key"]
        async with client_of(service, key=key) as page:
            refused = await page.post(f"{here}/check", json={"by_operator": True})
            assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")

    async def test_many_are_looked_up_at_once_by_md5(self, client: httpx.AsyncClient) -> None:
        known = await made(client)
        body = {"md5s": [known["md5"], "0" * 32]}
        found = (await client.post(f"{PATH}/checks", json=body)).json()["data"]
        assert [each["md5"] for each in found] == body["md5s"]
        assert found[0]["payment"]["reference"] == known["reference"]
        assert found[1]["payment"] is None


class TestCancelling:
    async def test_a_pending_payment_is_cancelled_once(self, client: httpx.AsyncClient) -> None:
        here = f"{PATH}/{(await made(client))['reference']}"
        assert (await client.post(f"{here}/cancel", json={"reason": "changed their mind"})).json()[
            "status"
        ] == "cancelled"
        again = await client.post(f"{here}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "payment_cancelled")
        newest, oldest = (await client.get(f"{here}/history")).json()["data"]
        assert (newest["old_status"], newest["new_status"], newest["actor"]) == ("pending", "cancelled", "api:main")
        assert newest["reason"] == "changed their mind"
        assert (oldest["old_status"], oldest["new_status"]) == (None, "pending")

    async def test_a_history_is_paged_newest_first(self, client: httpx.AsyncClient) -> None:
        here = f"{PATH}/{(await made(client))['reference']}"
        await client.post(f"{here}/cancel")
        first = (await client.get(f"{here}/history", params={"limit": 1})).json()
        second = (await client.get(f"{here}/history", params={"starting_after": first["next_cursor"]})).json()
        assert [change["version"] for change in (*first["data"], *second["data"])] == [2, 1]

    async def test_nothing_was_seen_of_money_that_never_came(self, client: httpx.AsyncClient) -> None:
        here = f"{PATH}/{(await made(client))['reference']}"
        assert (await client.get(f"{here}/receipts")).json()["data"] == []


async def test_open_payments_of_a_user_are_few(client: httpx.AsyncClient, service: Service) -> None:
    for _ in range(service.business.payments.open_per_user):
        await made(client, user_id="me")
    refused = await client.post(PATH, json={"amount": "1", "currency": "USD", "user_id": "me"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_open_payments")


class TestWrongRequests:
    """These never reach the database."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("limit=0", "?limit"),
            ("limit=101", "?limit"),
            ("limit=ten", "?limit"),
            ("starting_after=abc", "?starting_after"),
            ("starting_after=AAAAAAAAAAAAAAAAAAAAAA", "?starting_after"),
            ("statuss=paid", "?statuss"),
            ("status=payed", "?status"),
            ("created_from=yesterday", "?created_from"),
            ("created_from=2026-01-01T00:00:00", "?created_from"),
            ("md5=xyz", "?md5"),
        ],
    )
    async def test_a_wrong_query_is_refused(self, client: httpx.AsyncClient, query: str, pointer: str) -> None:
        response = await client.get(f"{PATH}?{query}")
        assert response.status_code == 422
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]

    @pytest.mark.parametrize("md5s", [[], ["0" * 32] * 51, ["X" * 32], ["0" * 31], "0" * 32])
    async def test_a_wrong_md5_is_a_422(self, client: httpx.AsyncClient, md5s: Any) -> None:
        response = await client.post(f"{PATH}/checks", json={"md5s": md5s})
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"].startswith("/md5s")
