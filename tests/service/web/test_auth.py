"""Who may call: no key, a wrong key, a key without the scope; and who is kept out for a while."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from bakong_service.domain.scope import SCOPES
from bakong_service.operations import keys
from bakong_service.operations.keys import NewKey
from bakong_service.operations.unit_of_work import transaction
from bakong_service.settings import Settings
from bakong_service.settings.source import SettingsError
from bakong_service.storage import api_keys, schema
from bakong_service.storage.schema import audit_log
from bakong_service.web.http.service import Service
from kit.service import ServiceOf, client_of
from kit.there import there

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Keys are looked up the same way on both; `test_keys.py` makes and ends them on both."""
    return sqlite_url


async def audited(service: Service) -> list[Any]:
    return await service.executor.read(
        lambda c: list(c.execute(select(audit_log).where(audit_log.c.action == "authentication.failed")).mappings())
    )


async def test_an_answer_without_a_key_says_which_scheme_to_use(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/v1/payments")).headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["wrong", "Bearer", "Bearer  ", "Basic abc", "Bearer wrong", "Bearer bks_test_a_b"])
async def test_a_wrong_key_is_refused_without_saying_why(stranger: httpx.AsyncClient, header: str) -> None:
    response = await stranger.get("/v1/payments/x", headers={"Authorization": header})
    assert response.status_code == 401
    assert "wrong" not in response.text


async def test_a_wrong_key_is_a_security_event_with_its_address(stranger: httpx.AsyncClient, service: Service) -> None:
    await stranger.get("/v1/payments/x", headers={"Authorization": "Bearer planted-wrong-key"})
    (entry,) = await audited(service)
    assert (entry["level"], entry["actor"], entry["ip"]) == ("SECURITY", "anonymous", "127.0.0.1")
    assert "planted" not in str(dict(entry))


async def test_ten_wrong_keys_close_the_door_to_wrong_keys_of_an_address(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    for _ in range(10):
        wrong = await stranger.get("/v1/payments/x", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
    blocked = await stranger.get("/v1/payments/x", headers={"Authorization": "Bearer wrong"})
    assert (blocked.status_code, blocked.json()["code"]) == (429, "address_blocked")
    assert 0 < int(blocked.headers["retry-after"]) <= 600
    assert (await client.get("/v1/payments/x")).status_code == 404  # a good key is let in from any address


async def test_a_stranger_cant_lock_the_main_backend_out_by_a_spoofed_address(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, service: Service
) -> None:
    """X-Forwarded-For is believed only from a trusted proxy."""
    for n in range(12):
        headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": f"203.0.113.{n}"}
        await stranger.get("/v1/payments/x", headers=headers)
    assert {entry["ip"] for entry in await audited(service)} == {"127.0.0.1"}
    assert len(await audited(service)) == 10


async def test_a_trusted_proxy_names_the_caller_and_only_the_last_stranger_counts(service_of: ServiceOf) -> None:
    service = service_of(TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8")
    async with client_of(service, key="wrong") as stranger:
        await stranger.get("/v1/payments/x", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.0.0.7"})
    (entry,) = await audited(service)
    assert entry["ip"] == "203.0.113.9"


class TestKeysInTheDatabase:
    @pytest.fixture
    async def key(self, service: Service) -> str:
        """A key with the scope payments:read alone."""
        from bakong_service.operations import keys

        made = await service.run(
            "operator:test",
            lambda work: keys.create(
                work,
                keys.NewKey(name="reader", scopes=frozenset({"payments:read"}), is_test=True),
            ),
        )
        return there(made.key)

    async def test_it_opens_what_its_scopes_say_and_nothing_else(self, service: Service, key: str) -> None:
        async with client_of(service, key=key) as reader:
            assert (await reader.get("/v1/payments/x")).status_code == 404
            refused = await reader.post("/v1/payments", json={})
            assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")

    async def test_a_revocation_counts_from_the_next_request_on(self, service: Service, key: str) -> None:
        """A revoked key isn't accepted from a cache for some minutes more."""
        async with client_of(service, key=key) as reader:
            assert (await reader.get("/v1/payments/x")).status_code == 404
            now = service.clock.now()
            (kept,) = await service.executor.read(api_keys.every)
            await service.executor.run(lambda c: api_keys.revoke(c, service.business.vault, kept, at=now))
            assert (await reader.get("/v1/payments/x")).status_code == 401

    async def test_a_mistyped_key_is_known_by_its_checksum(self, service: Service, key: str) -> None:
        async with client_of(service, key=key[:-1] + ("0" if key[-1] != "0" else "1")) as reader:
            assert (await reader.get("/v1/payments/x")).status_code == 401

    async def test_its_secret_isnt_kept(self, service: Service, key: str) -> None:
        (kept,) = await service.executor.read(api_keys.every)
        assert key not in repr(kept)
        assert kept.hash == api_keys.hashed(service.business.vault, key)

    async def test_when_it_was_used_is_remembered_once_a_minute(self, service: Service, key: str) -> None:
        async with client_of(service, key=key) as reader:
            used = []
            for seconds in (0, 30, 90):
                service.clock.offset = timedelta(seconds=seconds)
                await reader.get("/v1/payments/x")
                await service.key_uses.write(service.executor)
                (kept,) = await service.executor.read(api_keys.every)
                used.append(there(kept.last_used_at))
        assert used[0] == used[1] < used[2]

    async def test_no_answer_waits_until_the_use_of_its_key_is_written(
        self, service: Service, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def writes(*_: Any, **__: Any) -> None:
            raise AssertionError("it writes")

        monkeypatch.setattr(service.executor, "run", writes)
        async with client_of(service, key=key) as reader:
            assert (await reader.get("/v1/payments")).status_code == 200

    async def test_scopes_that_were_raised_in_the_database_open_nothing(self, service: Service, key: str) -> None:
        await service.executor.run(lambda c: c.execute(update(schema.api_keys).values(scopes=frozenset(SCOPES))))
        async with client_of(service, key=key) as thief:
            assert (await thief.get("/v1/payments")).status_code == 401
            assert (await thief.get("/v1/audit")).status_code == 401


async def test_a_key_may_make_so_many_requests_a_minute_and_no_more(service_of: ServiceOf) -> None:
    """A limiter that is configured must also limit."""
    async with client_of(service_of(RATE_LIMIT="3/minute")) as client:
        answers = [await client.get("/v1/payments/x") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert answers[3].json()["retryable"] is True
    assert 0 < int(answers[3].headers["retry-after"]) <= 60


@pytest.mark.parametrize("is_test", [True, False])
async def test_a_key_of_the_other_mode_opens_nothing(service_of: ServiceOf, is_test: bool) -> None:
    other = {"MODE": "live", "BAKONG_BASE_URL": "https://api-bakong.nbc.gov.kh"} if is_test else {}
    service, business = service_of(**other), service_of().business
    now = service.clock.now()
    new = NewKey(name="till", scopes=frozenset({"payments:read"}), is_test=is_test)
    made = await service.executor.run(transaction(business, "operator", now, lambda work: keys.create(work, new)))
    async with client_of(service, made.key) as client:
        response = await client.get("/v1/payments")
    assert (response.status_code, response.json()["code"]) == (401, "invalid_key")


async def test_everything_without_a_key_is_limited_by_address(service_of: ServiceOf) -> None:
    async with client_of(service_of(RATE_LIMIT="3/minute"), key=None) as stranger:
        statuses = [(await stranger.get(path)).status_code for path in ("/docs", "/v1/payments", "/nowhere", "/docs")]
        assert statuses == [200, 401, 404, 429]
        for path in ("/openapi.json", "/v1/payments", "/nowhere"):
            refused = await stranger.get(path)
            assert (refused.status_code, refused.headers["connection"]) == (429, "close")
        assert (await stranger.get("/health/live")).status_code == 200


async def test_a_refusal_for_a_missing_scope_counts_against_the_key(service_of: ServiceOf) -> None:
    service = service_of(RATE_LIMIT="3/minute")
    async with client_of(service) as main:
        text = (await main.post("/v1/keys", json={"name": "n", "scopes": ["metrics"]})).json()["key"]
    async with client_of(service, key=text) as reader:
        assert [(await reader.get("/v1/payments")).status_code for _ in range(4)] == [403, 403, 403, 429]


async def test_without_a_rate_nothing_is_counted(service_of: ServiceOf) -> None:
    async with client_of(service_of(RATE_LIMIT="off")) as client:
        answers = [await client.get("/v1/payments") for _ in range(150)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers


@pytest.mark.parametrize("rate", ["0/minute", "10/second;100/minute", "never"])
def test_a_rate_that_makes_no_sense_is_refused(environment: dict[str, str], rate: str) -> None:
    with pytest.raises(SettingsError, match="one rate such as 100/minute or 5/second, or off"):
        Settings.from_environment({**environment, "RATE_LIMIT": rate})


class TestAtOnce:
    """The block of ten wrong keys, on both databases."""

    @pytest.fixture(params=["sqlite_url", "postgresql_url"])
    def database_url(self, request: pytest.FixtureRequest) -> str:
        url: str = request.getfixturevalue(request.param)
        return url

    async def test_ten_of_many_wrong_keys_at_once_are_judged(
        self, stranger: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
    ) -> None:
        from bakong_service.operations.keys import checksum

        start = f"bks_test_{'a' * 12}_{'B' * 43}"
        wrong = {"Authorization": f"Bearer {start}{checksum(start)}"}
        answers = await asyncio.gather(*(stranger.get("/v1/payments", headers=wrong) for _ in range(100)))
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(401) == 10
        assert set(statuses) <= {401, 429, 503}
        assert len(await audited(service)) == 10
        assert (await client.get("/v1/payments")).status_code == 200
