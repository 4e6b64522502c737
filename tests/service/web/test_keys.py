"""API keys over HTTP: shown once, rotated with overlap, revoked at once."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from bakong_service.storage.schema import api_keys
from bakong_service.web.http.service import Service
from kit.service import client_of

pytestmark = pytest.mark.anyio

NEW = {"name": "till 3", "scopes": ["payments:read", "payments:write"]}


async def test_a_key_is_shown_once(client: httpx.AsyncClient, service: Service) -> None:
    made = await client.post("/v1/keys", json=NEW)
    assert made.status_code == 201, made.text
    text = made.json()["key"]
    assert text.startswith(f"bks_test_{made.json()['key_id']}_")
    async with client_of(service, key=text) as till:
        assert (await till.post("/v1/payments", json={"amount": "1", "currency": "USD"})).status_code == 201
        assert (await till.get("/v1/keys")).status_code == 403
    await service.key_uses.write(service.executor)
    (listed,) = (await client.get("/v1/keys")).json()["data"]
    assert "key" not in listed
    assert (listed["name"], listed["scopes"]) == ("till 3", ["payments:read", "payments:write"])
    assert listed["last_used_at"] is not None


async def test_a_rotation_leaves_the_old_key_good_for_a_day(client: httpx.AsyncClient, service: Service) -> None:
    old = (await client.post("/v1/keys", json=NEW)).json()
    new = await client.post(f"/v1/keys/{old['key_id']}/rotate")
    assert new.status_code == 201
    async with client_of(service, key=old["key"]) as with_old, client_of(service, key=new.json()["key"]) as with_new:
        assert (await with_old.get("/v1/payments")).status_code == 200
        service.clock.offset = timedelta(days=1, seconds=1)
        assert (await with_old.get("/v1/payments")).status_code == 401
        assert (await with_new.get("/v1/payments")).status_code == 200
    over = await client.post(f"/v1/keys/{old['key_id']}/rotate")
    assert (over.status_code, over.json()["code"]) == (409, "key_over")


async def test_a_revoked_key_is_refused_at_once_and_its_story_is_audited(
    client: httpx.AsyncClient, service: Service
) -> None:
    key = (await client.post("/v1/keys", json=NEW)).json()
    revoked = await client.post(f"/v1/keys/{key['key_id']}/revoke")
    assert revoked.json()["revoked_at"] is not None
    assert (await client.post(f"/v1/keys/{key['key_id']}/revoke")).json() == revoked.json()
    async with client_of(service, key=key["key"]) as holder:
        assert (await holder.get("/v1/payments")).status_code == 401
    lines = (await client.get("/v1/audit", params={"subject": key["key_id"]})).json()["data"]
    assert [line["action"] for line in lines] == ["key.revoked", "key.created"]
    assert {line["level"] for line in lines} == {"SECURITY"}
    assert {line["actor"] for line in lines} == {"api:main"}


async def test_a_key_is_only_good_where_and_until_it_was_made_for(client: httpx.AsyncClient, service: Service) -> None:
    elsewhere = (await client.post("/v1/keys", json={**NEW, "allowed_cidrs": ["203.0.113.0/24"]})).json()
    async with client_of(service, key=elsewhere["key"]) as holder:
        assert (await holder.get("/v1/payments")).status_code == 401
    until = (service.clock.now() + timedelta(hours=1)).isoformat()
    short = (await client.post("/v1/keys", json={**NEW, "expires_at": until})).json()
    async with client_of(service, key=short["key"]) as holder:
        assert (await holder.get("/v1/payments")).status_code == 200
        service.clock.offset = timedelta(hours=1)
        assert (await holder.get("/v1/payments")).status_code == 401


@pytest.mark.parametrize(("way", "end"), [("made", "revoked"), ("rotated", "revoked"), ("rotated", "run out")])
async def test_a_repeated_answer_hides_the_text_of_a_key_that_is_over(
    client: httpx.AsyncClient, service: Service, way: str, end: str
) -> None:
    until = (service.clock.now() + timedelta(hours=1)).isoformat()
    first = (await client.post("/v1/keys", json={**NEW, "expires_at": until})).json()
    path, body = (
        ("/v1/keys", {**NEW, "expires_at": until}) if way == "made" else (f"/v1/keys/{first['key_id']}/rotate", {})
    )
    headers = {"Idempotency-Key": "once"}
    answer = (await client.post(path, json=body, headers=headers)).json()
    again = await client.post(path, json=body, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (answer, "true")
    if end == "revoked":
        await client.post(f"/v1/keys/{answer['key_id']}/revoke")
    else:
        service.clock.offset = timedelta(hours=2)
    again = await client.post(path, json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, {**answer, "key": None})


async def test_a_key_whose_row_was_changed_by_hand_can_be_revoked_and_not_rotated(
    client: httpx.AsyncClient, service: Service
) -> None:
    key_id = (await client.post("/v1/keys", json=NEW)).json()["key_id"]
    await service.executor.run(lambda c: c.execute(update(api_keys).values(scopes=frozenset({"admin"}))))
    refused = await client.post(f"/v1/keys/{key_id}/rotate")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_over")
    assert "by hand" in refused.json()["detail"]
    assert (await client.post(f"/v1/keys/{key_id}/revoke")).json()["revoked_at"] is not None


async def test_an_unknown_key_is_a_404(client: httpx.AsyncClient) -> None:
    for action in ("rotate", "revoke"):
        assert (await client.post(f"/v1/keys/nobody/{action}")).status_code == 404


class TestWrongRequests:
    """These never reach the database."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"scopes": ["payments:all"]}, "/scopes/0"),
            ({"scopes": []}, "/scopes"),
            ({"name": ""}, "/name"),
            ({"allowed_cidrs": ["10.0.0.1/8"]}, "/allowed_cidrs/0"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
            ({"expires_at": "soon"}, "/expires_at"),
        ],
    )
    async def test_a_key_that_makes_no_sense_is_refused(
        self, client: httpx.AsyncClient, change: dict[str, Any], pointer: str
    ) -> None:
        response = await client.post("/v1/keys", json={**NEW, **change})
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == pointer
