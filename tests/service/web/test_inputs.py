"""Everything that is wrong with a request is told at once, each fault with its place, and nothing is passed over."""

from typing import Annotated, Any

import httpx
import msgspec
import pytest
from msgspec import Meta

from bakong_service.domain.scope import SCOPES
from bakong_service.web.http import bodies
from bakong_service.web.http.service import Service
from bakong_service.web.routes import ROUTES
from kit.service import ServiceOf

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service that doesn't tire of it."""
    made: Service = service_of(RATE_LIMIT="1000000/second")
    return made


def pointers(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {error["pointer"] for error in answer.json()["errors"]}


AT_ONCE: list[tuple[str, dict[str, Any], set[str]]] = [
    (
        "/v1/payments",
        {"amount": "x", "currency": "EUR", "description": 5, "user_id": "", "foo": 1},
        {"/amount", "/currency", "/description", "/user_id", "/foo"},
    ),
    (
        "/v1/payments",
        {"metadata": {"a": 1, "b": "fine", "c": None}},
        {"/metadata/a", "/metadata/c", "/amount", "/currency"},
    ),
    ("/v1/payments/checks", {"md5s": ["x", "0" * 32, 7]}, {"/md5s/0", "/md5s/2"}),
    (
        "/v1/plans",
        {"code": "small", "name": " ", "amount": "-1", "currency": "XXX", "period_days": 0},
        {"/code", "/name", "/amount", "/currency", "/period_days"},
    ),
    (
        "/v1/keys",
        {"name": "", "scopes": ["admn", "admin", "x"], "allowed_cidrs": ["here"], "expires_at": "2001-01-01T00:00:00Z"},
        {"/name", "/scopes/0", "/scopes/2", "/allowed_cidrs/0", "/expires_at"},
    ),
    ("/v1/users/u/credit", {"amount": "1.005", "currency": "USD", "reason": ""}, {"/amount", "/reason"}),
    ("/v1/endpoints", {"url": 1, "event_types": ["payment.paid", 2]}, {"/url", "/event_types/1"}),
]


@pytest.mark.parametrize(("path", "body", "wrong"), AT_ONCE)
async def test_every_fault_of_a_body_is_told_at_once(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], wrong: set[str]
) -> None:
    assert pointers(await client.post(path, json=body)) == wrong


async def test_faults_of_query_headers_and_body_are_told_together(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k" * 256}
    answer = await client.post("/v1/payments?foo=1", json={"amount": "1", "currency": "EUR"}, headers=headers)
    assert pointers(answer) == {"?foo", "Idempotency-Key", "/currency"}
    answer = await client.get("/v1/payments?limit=0&status=piad&status=paid&created_from=2026&md5=x&foo")
    assert pointers(answer) == {"?limit", "?status", "?created_from", "?md5", "?foo"}


async def test_two_keys_are_no_key(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/v1/payments",
        json={"amount": "1", "currency": "USD"},
        headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
    )
    assert pointers(answer) == {"Idempotency-Key"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_no_route_passes_over_an_unknown_or_a_repeated_parameter(client: httpx.AsyncClient, route: Any) -> None:
    if route.signed:
        pytest.skip("whoever isn't known is told nothing else")
    path = (
        route.path.replace("{reference}", "x").replace("{user_id}", "x").replace("{key_id}", "x").replace("{code}", "x")
    )
    assert "?foo" in pointers(await client.request(route.method, f"{path}?foo=1"))
    for name in ("limit", "wait"):
        answer = await client.request(route.method, f"{path}?{name}=1&{name}=2")
        assert f"?{name}" in pointers(answer)


@pytest.mark.parametrize(
    "text",
    [
        "2026",
        "2099",
        "20261127",
        "0.5",
        "-1",
        "1e9",
        "2026-11-27",
        "2026-11-27T10:00:00",
        "2026-11-27 10:00:00Z",
        "2026-11-27T10:00Z",
        "null",
        "",
    ],
)
async def test_a_moment_is_iso_8601_with_a_zone(client: httpx.AsyncClient, text: str) -> None:
    for name in ("created_from", "created_until"):
        assert pointers(await client.get("/v1/payments", params={name: text})) == {f"?{name}"}
    assert "/expires_at" in pointers(
        await client.post("/v1/keys", json={"name": "n", "scopes": ["admin"], "expires_at": text})
    )


@pytest.mark.parametrize("text", ["2026-11-27T10:00:00Z", "2026-11-27T10:00:00.5+07:00"])
async def test_a_good_moment_filters(client: httpx.AsyncClient, text: str) -> None:
    assert (await client.get("/v1/payments", params={"created_from": text})).status_code == 200


@pytest.mark.parametrize("name", ["status", "user_id", "md5"])
async def test_null_in_a_query_is_a_text_like_any_other(client: httpx.AsyncClient, name: str) -> None:
    await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})
    answer = await client.get(f"/v1/payments?{name}=null")
    assert answer.status_code == 422 or answer.json()["data"] == []


async def test_a_user_id_with_a_slash_can_be_asked_about(client: httpx.AsyncClient) -> None:
    for user, path in (
        ("org/42", "org%2F42"),
        ("50%", "50%25"),
        ("a%2Fb", "a%252Fb"),
        ("សុខា", "%E1%9E%9F%E1%9E%BB%E1%9E%81%E1%9E%B6"),
    ):
        given = {"amount": "1.00", "currency": "USD", "reason": "goodwill"}
        made = await client.post(f"/v1/users/{path}/credit", json=given)
        assert made.json()["user_id"] == user
        assert (await client.get(f"/v1/users/{path}/subscription")).json()["code"] == "no_such_subscription"


async def test_an_encoded_slash_separates_nothing(client: httpx.AsyncClient) -> None:
    payment = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    answer = await client.get(f"/v1/payments/{payment['reference']}%2Fhistory")
    assert (answer.status_code, answer.json()["code"]) == (404, "payment_not_found")
    assert (await client.get("/v1%2Fpayments")).status_code == 404
    assert (await client.get("/v1/payments/")).status_code == 404
    assert (await client.get("/v1/payments/%FF")).status_code == 404


ALLOWED = {
    "/v1/payments": "GET, HEAD, POST",
    "/v1/payments/checks": "POST",
    "/v1/endpoints/we_1": "DELETE, GET, HEAD, PATCH",
    "/v1/plans": "GET, HEAD, POST",
    "/health/live": "GET, HEAD",
    "/v1/keys/k/revoke": "POST",
}


@pytest.mark.parametrize(("path", "allow"), ALLOWED.items())
async def test_allow_names_every_method_of_a_path(client: httpx.AsyncClient, path: str, allow: str) -> None:
    for method in {"GET", "POST", "PUT", "DELETE", "OPTIONS"} - set(allow.split(", ")):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow)
        assert answer.json()["code"] == "method_not_allowed"


async def test_head_answers_as_get_does_without_a_body(client: httpx.AsyncClient) -> None:
    payment = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    for path in ("/v1/payments", "/health/live", *(payment["links"][name] for name in ("self", "qr_png", "history"))):
        got, asked = await client.get(path), await client.head(path)
        assert asked.status_code == 200
        assert not asked.content
        for name in ("content-type", "content-length", "etag"):
            assert asked.headers.get(name) == got.headers.get(name)
    events = await client.head(payment["links"]["events"])  # which GET would keep open
    assert events.headers["content-type"].startswith("text/event-stream")


async def test_if_none_match_is_read_as_the_standard_says(client: httpx.AsyncClient) -> None:
    payment = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    endpoint = (await client.post("/v1/endpoints", json={"url": "https://shop.example/hooks"})).json()
    for path in (payment["links"]["self"], f"/v1/endpoints/{endpoint['reference']}"):
        tag = (await client.get(path)).headers["etag"]
        strong = tag.removeprefix("W/")
        for known in (tag, strong, "*", f'"x", {tag}', f'W/"a,b" ,{strong}'):
            answer = await client.get(path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.headers["etag"], answer.content) == (304, tag, b"")
        several = [("If-None-Match", '"x"'), ("If-None-Match", tag)]
        assert (await client.get(path, headers=several)).status_code == 304
        for other in ('"x"', strong.strip('"'), f'"{strong.strip(chr(34))}x"', ""):
            assert (await client.get(path, headers={"If-None-Match": other})).status_code == 200


def test_the_scopes_of_a_new_key_are_those_that_routes_ask_for() -> None:
    asked = {route.scope or route.more_with for route in ROUTES} - {None}
    assert asked == set(SCOPES)


@pytest.mark.parametrize(
    ("value", "kind", "rule"),
    [
        (1, str | None, "expected a string or null, got a whole number"),
        ("x", int, "expected a whole number, got a string"),
        ([True], list[str], "expected a string, got true or false"),
        (None, dict[str, str], "expected an object, got null"),
        ("abc", Annotated[str, Meta(max_length=2)], "expected a string of length <= 2"),
        ({}, list[str], "expected a list, got an object"),
    ],
)
def test_a_fault_names_types_as_json_does(value: Any, kind: Any, rule: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, kind)
    assert bodies.fault(refused.value, "").message == rule
