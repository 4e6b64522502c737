"""Without a good key nothing is processed: every route with things that are there, and every text in place of a key."""

import json
from importlib import resources
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bakong_service.domain.scope import SCOPES
from bakong_service.operations import keys
from bakong_service.operations.keys import NewKey, checksum
from bakong_service.web.http.openapi import operation_id
from bakong_service.web.http.route import Route
from bakong_service.web.http.service import Service
from bakong_service.web.routes import ROUTES
from kit.backup import Backup
from kit.service import ENVIRONMENT, ServiceOf
from kit.there import there

pytestmark = pytest.mark.anyio

GUARDED = [route for route in ROUTES if route.scope is not None]
EXAMPLES = json.loads(resources.files("bakong_service.web.http").joinpath("examples.json").read_bytes())
LOG = ("audit_log", "audit_numbering")  # a wrong key is on record
_numbers = count(1)


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service behind a proxy that names each caller, so that ten wrong keys block nobody else."""
    return service_of(RATE_LIMIT="off", TRUSTED_PROXIES="127.0.0.1")


@pytest.fixture
async def there_is(client: httpx.AsyncClient) -> dict[str, str]:
    """What a guarded route may name, by the beginning of its path."""
    plan = {"user_id": "u1", "plan": "PREMIUM"}
    made = {
        "/v1/payments": ("/v1/payments", plan, "reference"),
        "/v1/links": ("/v1/links", {"amount": "1", "currency": "USD"}, "reference"),
        "/v1/endpoints": ("/v1/endpoints", {"url": "https://shop.example/hooks"}, "reference"),
        "/v1/keys": ("/v1/keys", {"name": "till", "scopes": ["metrics"]}, "key_id"),
    }
    found = {"/v1/users": "u1", "/v1/plans": "PREMIUM"}
    for begins, (path, body, name) in made.items():
        found[begins] = (await client.post(path, json=body)).json()[name]
    event = (await client.post(f"/v1/endpoints/{found['/v1/endpoints']}/test")).json()["id"]
    return found | {"/v1/events": event}


def request_to(route: Route, there_is: dict[str, str]) -> tuple[str, str, Any]:
    """A request that a good key would be answered well: a thing that is there, and a good body."""
    name = next((name for begins, name in there_is.items() if route.path.startswith(begins)), "x")
    path = "/".join(name if part.startswith("{") else part for part in route.path.split("/"))
    return route.method, path, EXAMPLES.get(operation_id(route), {}).get("request")


async def everything(service: Service) -> dict[str, Any]:
    backup = Backup(service.executor)
    await backup.take()
    return {table: rows for table, rows in backup.rows.items() if table not in LOG}


def a_caller() -> dict[str, str]:
    number = next(_numbers)
    return {"X-Forwarded-For": f"10.9.{number // 250}.{number % 250 + 1}"}


async def revoked(service: Service) -> str:
    new = NewKey(name="old", scopes=frozenset(SCOPES), is_test=True)
    made = await service.run("operator:test", lambda work: keys.create(work, new))
    await service.run("operator:test", lambda work: keys.revoke(work, made.key_id))
    return there(made.key)


async def test_without_a_good_key_no_route_does_anything(
    stranger: httpx.AsyncClient, service: Service, there_is: dict[str, str]
) -> None:
    presented: list[tuple[dict[str, str], str]] = [
        ({}, "missing_key"),
        ({"Authorization": f"Bearer {await revoked(service)}"}, "invalid_key"),
    ]
    before = await everything(service)
    for route in GUARDED:
        method, path, body = request_to(route, there_is)
        for headers, code in presented:
            keyed = headers | a_caller() | {"Idempotency-Key": "k1"}
            answer = await stranger.request(method, path, json=body, headers=keyed)
            assert (answer.status_code, answer.json()["code"]) == (401, code), (method, path)
    assert await everything(service) == before


async def test_with_a_good_key_most_of_the_same_requests_do_something(
    client: httpx.AsyncClient, there_is: dict[str, str]
) -> None:
    """So the test above asks for what there is."""
    routes = [route for route in GUARDED if not route.resumed]  # a stream has no end
    answers = [(await client.request(method, path, json=body)).status_code
               for method, path, body in (request_to(route, there_is) for route in routes)]  # fmt: skip
    assert sum(status < 300 for status in answers) > len(routes) / 2
    assert 401 not in answers


@pytest.fixture
async def nothing_changes(service: Service, there_is: dict[str, str]) -> Any:
    """Whatever the test presents, no row changes but those of the audit log."""
    before = await everything(service)
    yield
    assert await everything(service) == before


MAIN = ENVIRONMENT["MAIN_BACKEND_API_KEY"]
visible = st.characters(codec="latin-1", exclude_categories=["Cc"])
schemes = st.sampled_from(["Bearer ", "bearer ", "Basic ", "Bearer", "", "Bearer  "])
headed = st.builds("bks_test_{}_{}".format, st.text("ab0", min_size=12, max_size=12), st.text("aZ9", min_size=43))
guesses = st.one_of(
    st.text(visible, max_size=100),
    headed.map(lambda head: head + checksum(head)),  # of the right form
    st.integers(0, len(MAIN) - 1).map(lambda length: MAIN[:length]),
    st.text(visible, min_size=1, max_size=20).map(lambda more: MAIN + "x" + more),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scheme=schemes, guess=guesses)
@example(scheme="Basic ", guess=MAIN)
@example(scheme="Bearer ", guess="x" * 60_000)
async def test_no_text_in_place_of_a_key_opens_anything_or_fails(
    stranger: httpx.AsyncClient, nothing_changes: None, scheme: str, guess: str
) -> None:
    headers = a_caller() | {"Authorization": scheme + guess}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await stranger.post("/v1/payments", json={"amount": "1", "currency": "USD"}, headers=encoded)
    assert answer.status_code == 401
    assert answer.json()["code"] in {"missing_key", "invalid_key"}
    assert len(guess) < 8 or guess not in answer.text
