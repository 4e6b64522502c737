"""The ten risks to an API that OWASP lists (2023), one after the other: each control of the service has its test here.

The longer tests of a risk are elsewhere: API4 in `test_server.py`, `test_places.py` and `test_siege.py`, API5 in
`test_route_matrix.py`, API7 in `webhooks/test_guard.py`, API8 in `test_settings.py`, API9 in `test_described.py`, and
API10 in `watcher/test_hostile_answers.py`. The token of one payment (API1) is in `checkout/test_client_tokens.py`, what
stands in place of a key (API2) in `test_nothing_without_a_key.py`, and wrong keys and proxies in `test_wrong_keys.py`.
Encryption is in `storage/test_sealed.py` and `storage/test_resealing.py`, logs in `test_logs.py`,
`test_planted_secrets.py` and `test_border.py`, rates in `test_limiter.py`, notices in `test_notify.py`.
"""

import hmac
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from bakong_service.operations import keys
from bakong_service.operations.keys import NewKey, checksum
from bakong_service.settings import Settings, SettingsError
from bakong_service.web.http import auth
from bakong_service.web.http.application import application
from bakong_service.web.http.service import Service
from bakong_service.web.routes import ROUTES
from kit.service import ServiceOf, client_of
from kit.there import there

pytestmark = pytest.mark.anyio

PAYMENT = {"amount": "1.00", "currency": "USD"}
WITH_A_BODY = [route for route in ROUTES if route.body is not None and route.scope is not None]


async def key_with(service: Service, *scopes: str) -> tuple[str, str]:
    """A key with these scopes: its text and its id."""
    new = NewKey(name="test", scopes=frozenset(scopes), is_test=service.settings.is_test)
    made = await service.run("operator:test", lambda work: keys.create(work, new))
    return there(made.key), made.key_id


async def test_api1_an_answer_that_was_stored_for_one_key_is_shown_to_no_other(
    client: httpx.AsyncClient, service: Service
) -> None:
    headers = {"Idempotency-Key": "the same"}
    first = await client.post("/v1/payments", json=PAYMENT, headers=headers)
    async with client_of(service, (await key_with(service, "payments:write"))[0]) as other:
        second = await other.post("/v1/payments", json=PAYMENT, headers=headers)
    assert (second.status_code, "idempotency-replayed" in second.headers) == (201, False)
    assert second.json()["reference"] != first.json()["reference"]


async def test_api2_a_key_is_random_and_only_its_hash_is_stored(service: Service) -> None:
    (one, key_id), (other, _) = await key_with(service, "metrics"), await key_with(service, "metrics")
    form = re.compile(r"bks_(live|test)_[a-z0-9]{12}_[A-Za-z0-9]{43}[0-9a-f]{8}")  # 43 of 62 characters: 256 bits
    assert form.fullmatch(one)
    assert form.fullmatch(other)
    assert one[-51:] != other[-51:]
    rows = await service.executor.read(lambda c: c.exec_driver_sql("SELECT * FROM api_keys").fetchall())
    assert key_id in str(rows)
    assert one[-51:-8] not in str(rows)


async def test_api2_an_unknown_key_is_compared_like_a_known_one(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the time that a refusal takes doesn't tell whether there is a key with this id."""
    compared: list[tuple[int, int]] = []

    class Counting:
        @staticmethod
        def compare_digest(one: bytes, other: bytes) -> bool:
            compared.append((len(one), len(other)))
            return hmac.compare_digest(one, other)

    monkeypatch.setattr(auth, "hmac", Counting)
    text, key_id = await key_with(service, "metrics")
    asked = []
    for head in (text[:-9] + ("A" if text[-9] != "A" else "B"), text[:-8].replace(key_id, "a" * 12)):
        compared.clear()
        async with client_of(service, head + checksum(head)) as stranger:
            assert (await stranger.get("/v1/payments")).status_code == 401
        asked.append(list(compared))
    assert asked[0] == asked[1]
    assert (32, 32) in asked[0]


async def test_api2_a_revoked_key_is_refused_on_the_next_request_on_every_replica(
    service_of: ServiceOf,
) -> None:
    one, another = service_of(), service_of()
    text, key_id = await key_with(one, "payments:read")
    async with client_of(one, text) as near, client_of(another, text) as far:
        assert [(await each.get("/v1/payments")).status_code for each in (near, far)] == [200, 200]
        await one.run("operator:test", lambda work: keys.revoke(work, key_id))
        assert [(await each.get("/v1/payments")).status_code for each in (near, far)] == [401, 401]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it is refused before any database is asked
@pytest.mark.parametrize("route", WITH_A_BODY, ids=lambda route: f"{route.method} {route.path}")
async def test_api3_a_member_that_a_body_does_not_have_is_refused(client: httpx.AsyncClient, route: Any) -> None:
    path = re.sub(r"\{\w+\}", "x", route.path)
    for member in ("status", "is_admin", "__proto__"):
        answer = await client.request(route.method, path, json={member: "paid"})
        assert answer.status_code == 422, answer.text
        assert (f"/{member}", "unknown_member") in {(e["pointer"], e["code"]) for e in answer.json()["errors"]}


async def test_api4_what_a_request_may_take_is_bounded(client: httpx.AsyncClient) -> None:
    deep = "[" * 5000 + "]" * 5000
    huge = '{"description": "' + "a" * 70_000 + '"}'
    json = {"Content-Type": "application/json"}
    assert (await client.post("/v1/payments", content=deep, headers=json)).status_code in (400, 422)
    assert (await client.post("/v1/payments", content=huge, headers=json)).status_code == 413
    assert (await client.get("/v1/payments", params={"limit": 101})).status_code == 422
    assert (await client.get("/v1/payments", params={"limit": 100})).status_code == 200


async def test_api5_a_key_for_reading_payments_does_nothing_else(service: Service) -> None:
    async with client_of(service, (await key_with(service, "payments:read"))[0]) as reader:
        for method, path in (("POST", "/v1/payments"), ("GET", "/v1/keys"), ("POST", "/v1/keys"), ("GET", "/v1/audit")):
            assert (await reader.request(method, path)).json()["code"] == "missing_scope"


async def test_api6_a_user_has_few_open_payments_and_a_payment_few_hints(
    client: httpx.AsyncClient, service: Service
) -> None:
    policy = service.business.payments
    mine = {**PAYMENT, "user_id": "me"}
    opened = [await client.post("/v1/payments", json=mine) for _ in range(policy.open_per_user + 1)]
    assert [answer.status_code for answer in opened] == [201] * policy.open_per_user + [409]
    path = f"/v1/payments/{opened[0].json()['reference']}/check"
    for _ in range(policy.hints_per_payment + 5):
        assert (await client.post(path)).status_code == 202
        service.clock.offset += timedelta(seconds=20)
    hints = await service.executor.read(lambda c: c.exec_driver_sql("SELECT MAX(hints) FROM payments").scalar())
    assert hints == policy.hints_per_payment


# A name is judged when it is called, by each address that it leads to, and so is a number: `webhooks/test_guard.py`.
HOSTILE_TARGETS = [
    "https://127.0.0.1/x", "https://[::1]/x", "https://[::ffff:10.0.0.1]/x",
    "https://169.254.169.254/latest/meta-data", "https://10.0.0.1/x", "http://shop.example/x", "https://shop.example:22/x",
    "https://user:pass@shop.example/x", "file:///etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it is refused before any database is asked
@pytest.mark.parametrize("url", HOSTILE_TARGETS)
async def test_api7_no_webhook_goes_to_an_address_that_is_not_public(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post("/v1/endpoints", json={"url": url})
    assert answer.status_code == 422, answer.text
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/url"}


WEAK = [
    {"KEY_PEPPER": "changeme-changeme-changeme-changeme"},
    {"KEY_PEPPER": "9f86d081884c7d659a2feaa0c55ad015", "ENCRYPTION_KEY": "9f86d081884c7d659a2feaa0c55ad015"},
    {"BAKONG_BASE_URL": "http://api-bakong.nbc.gov.kh"},
    {"WEBHOOK_URL": "http://shop.example/x", "WEBHOOK_SECRET": "whsec_q8r2Zx7Lw0bN4vKd9TfYh1Mc6Pj3Sg5A"},
    {"DATABASE_URL": "postgresql://u:p@db.example.com/n"},
    {"REDIS_URL": "redis://cache.example.com"},
]


@pytest.mark.parametrize("weak", WEAK, ids=lambda weak: "+".join(weak))
def test_api8_live_mode_does_not_start_on_weak_settings(live_environment: dict[str, str], weak: dict[str, str]) -> None:
    Settings.from_environment(live_environment)
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({**live_environment, **weak})
    assert {problem.name for problem in refused.value.problems} <= set(weak)


async def test_api8_no_other_site_may_read_an_answer_and_every_answer_has_safe_headers(
    client: httpx.AsyncClient,
) -> None:
    other_site = {"Origin": "https://evil.example"}
    for answer in (
        await client.get("/v1/payments", headers=other_site),
        await client.get("/nowhere", headers=other_site),
        await client.options("/v1/payments", headers={**other_site, "Access-Control-Request-Method": "POST"}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_api9_every_route_is_described_and_live_mode_has_none_for_tests(service_of: ServiceOf) -> None:
    described = {
        (method.upper(), path)
        for path, methods in application(service_of()).state.openapi["paths"].items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert described == {(route.method, route.path) for route in ROUTES}
    async with client_of(service_of(MODE="live", BAKONG_BASE_URL="https://api-bakong.nbc.gov.kh")) as live:
        for route in ROUTES:
            if route.path.startswith("/v1/test/"):
                assert (await live.request(route.method, route.path)).status_code == 404
