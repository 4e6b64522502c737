"""Who may call: no key, a wrong key, a key without the scope; and who is kept out for a while."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from bakong_service.storage import api_keys
from bakong_service.storage.schema import audit_log
from bakong_service.web.auth import SCOPES
from bakong_service.web.routes import ROUTES
from bakong_service.web.service import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Keys are looked up the same way on both; `test_keys.py` makes and ends them on both."""
    return sqlite_url


GUARDED = [route for route in ROUTES if route.scope is not None]


async def audited(service: Service) -> list[Any]:
    return await service.executor.read(
        lambda c: list(c.execute(select(audit_log).where(audit_log.c.action == "authentication.failed")).mappings())
    )


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
async def test_property_11_without_a_key_nothing_is_done(stranger: httpx.AsyncClient, route: Any) -> None:
    response = await stranger.request(route.method, route.path.replace("{reference}", "x").replace("{user_id}", "x"))
    assert (response.status_code, response.json()["code"]) == (401, "missing_key")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["wrong", "Bearer", "Bearer  ", "Basic abc", "Bearer wrong", "Bearer bks_test_a_b"])
async def test_a_wrong_key_is_refused_without_saying_why(stranger: httpx.AsyncClient, header: str) -> None:
    response = await stranger.get("/v1/payments/x", headers={"Authorization": header})
    assert response.status_code == 401
    assert "wrong" not in response.text


async def test_property_32_a_wrong_key_is_a_security_event_with_its_address(
    stranger: httpx.AsyncClient, service: Service
) -> None:
    await stranger.get("/v1/payments/x", headers={"Authorization": "Bearer planted-wrong-key"})
    (entry,) = await audited(service)
    assert (entry["level"], entry["actor"], entry["ip"]) == ("SECURITY", "anonymous", "127.0.0.1")
    assert "planted" not in str(dict(entry))


async def test_property_21_ten_wrong_keys_close_the_door_to_an_address(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    for _ in range(10):
        wrong = await stranger.get("/v1/payments/x", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
    blocked = await client.get("/v1/payments/x")
    assert (blocked.status_code, blocked.json()["code"]) == (429, "address_blocked")
    assert 0 < int(blocked.headers["retry-after"]) <= 600


async def test_a_stranger_cant_lock_the_main_backend_out_by_a_spoofed_address(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, service: Service
) -> None:
    """The original's flaw 39: X-Forwarded-For was believed from anybody."""
    for n in range(12):
        headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": f"203.0.113.{n}"}
        await stranger.get("/v1/payments/x", headers=headers)
    assert {entry["ip"] for entry in await audited(service)} == {"127.0.0.1"}
    assert len(await audited(service)) == 10


async def test_a_trusted_proxy_names_the_caller_and_only_the_last_stranger_counts(service_of, client_to) -> None:  # type: ignore[no-untyped-def]  # fixtures
    service = service_of(TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8")
    async with client_to(service, key="wrong") as stranger:
        await stranger.get("/v1/payments/x", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.0.0.7"})
    (entry,) = await audited(service)
    assert entry["ip"] == "203.0.113.9"


class TestKeysInTheDatabase:
    @pytest.fixture
    async def key(self, service: Service) -> str:
        """A key with the scope payments:read alone."""
        from bakong_service.operations import keys

        made = await service.executor.run(
            lambda c: keys.create(
                c,
                service.business,
                keys.NewKey(name="reader", scopes=frozenset({"payments:read"}), is_test=True),
                actor="operator:test",
                now=service.clock.now(),
            )
        )
        return made.text

    async def test_it_opens_what_its_scopes_say_and_nothing_else(self, service: Service, key: str, client_to) -> None:  # type: ignore[no-untyped-def]
        async with client_to(service, key=key) as reader:
            assert (await reader.get("/v1/payments/x")).status_code == 404
            refused = await reader.post("/v1/payments", json={})
            assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")

    async def test_a_revocation_counts_from_the_next_request_on(self, service: Service, key: str, client_to) -> None:  # type: ignore[no-untyped-def]
        """The original's flaw 41: it took five minutes."""
        async with client_to(service, key=key) as reader:
            assert (await reader.get("/v1/payments/x")).status_code == 404
            now = service.clock.now()
            (kept,) = await service.executor.read(api_keys.every)
            await service.executor.run(lambda c: api_keys.end(c, kept.key_id, revoked_at=now, expires_at=None))
            assert (await reader.get("/v1/payments/x")).status_code == 401

    async def test_a_mistyped_key_is_known_by_its_checksum(self, service: Service, key: str, client_to) -> None:  # type: ignore[no-untyped-def]
        async with client_to(service, key=key[:-1] + ("0" if key[-1] != "0" else "1")) as reader:
            assert (await reader.get("/v1/payments/x")).status_code == 401

    async def test_its_secret_isnt_kept(self, service: Service, key: str) -> None:
        (kept,) = await service.executor.read(api_keys.every)
        assert key not in repr(kept)
        assert kept.hash == api_keys.hashed(service.business.vault, key)

    async def test_when_it_was_used_is_remembered_once_a_minute(self, service: Service, key: str, client_to) -> None:  # type: ignore[no-untyped-def]
        async with client_to(service, key=key) as reader:
            await reader.get("/v1/payments/x")
            (first,) = await service.executor.read(api_keys.every)
            service.clock.offset = timedelta(seconds=30)
            await reader.get("/v1/payments/x")
            (second,) = await service.executor.read(api_keys.every)
            service.clock.offset = timedelta(seconds=90)
            await reader.get("/v1/payments/x")
            (third,) = await service.executor.read(api_keys.every)
        assert first.last_used_at == second.last_used_at
        assert third.last_used_at > first.last_used_at


@pytest.mark.parametrize("scope", SCOPES)
async def test_each_scope_opens_its_own_routes_alone(service: Service, client_to, scope: str) -> None:  # type: ignore[no-untyped-def]
    from bakong_service.operations import keys

    made = await service.executor.run(
        lambda c: keys.create(
            c,
            service.business,
            keys.NewKey(name="one scope", scopes=frozenset({scope}), is_test=True),
            actor="operator:test",
            now=service.clock.now(),
        )
    )
    async with client_to(service, key=made.text) as caller:
        for route in GUARDED:
            if route.scope != scope:
                path = route.path.replace("{reference}", "x").replace("{user_id}", "x")
                response = await caller.request(route.method, path)
                assert (response.status_code, response.json()["code"]) == (403, "missing_scope"), path


async def test_a_key_may_make_so_many_requests_a_minute_and_no_more(service_of, client_to) -> None:  # type: ignore[no-untyped-def]
    """The original's flaw 38: its limiter never limited."""
    async with client_to(service_of(RATE_LIMIT="3/minute")) as client:
        answers = [await client.get("/v1/payments/x") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert answers[3].json()["retryable"] is True
    assert 0 < int(answers[3].headers["retry-after"]) <= 60
