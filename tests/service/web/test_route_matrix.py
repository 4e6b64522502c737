"""Every route by every kind of key, generated from the table of routes: who gets in, and how the others are refused."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from bakong_service.domain.scope import SCOPES
from bakong_service.operations import keys
from bakong_service.operations.keys import NewKey, checksum
from bakong_service.web.http.route import Route
from bakong_service.web.http.service import Service
from bakong_service.web.routes import ROUTES
from kit.service import ServiceOf, client_of
from kit.there import there

pytestmark = pytest.mark.anyio

OPEN = [route for route in ROUTES if route.scope is None]
GUARDED = [route for route in ROUTES if route.scope is not None]
_addresses = count(1)

Ask = Callable[[str | None, list[Route]], Awaitable[dict[str, tuple[int, str | None]]]]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The table of routes is the same on both databases; `test_keys.py` makes and ends keys on both."""
    return sqlite_url


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service that sees each request come from an address of its own, so that ten wrong keys block nobody."""
    return service_of(RATE_LIMIT="off", TRUSTED_PROXIES="127.0.0.1")


@pytest.fixture
def ask(service: Service) -> Ask:
    """Ask every route with one key: the answers by route."""

    async def ask(key: str | None, routes: list[Route]) -> dict[str, tuple[int, str | None]]:
        answers = {}
        async with client_of(service, key=key) as caller:
            for route in routes:
                number = next(_addresses)
                headers = {"X-Forwarded-For": f"10.9.{number // 250}.{number % 250 + 1}"}
                path = re.sub(r"\{\w+\}", "x", route.path)
                answer = await caller.request(route.method, path, headers=headers)
                is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
                answers[f"{route.method} {route.path}"] = (
                    answer.status_code,
                    answer.json()["code"] if is_problem else None,
                )
        return answers

    return ask


async def made(service: Service, *scopes: str, **how: Any) -> tuple[str, str]:
    """A key with these scopes: its text and its id."""
    new = NewKey(name="cell", scopes=frozenset(scopes), is_test=how.pop("is_test", True), **how)
    key = await service.run("operator:test", lambda work: keys.create(work, new))
    return there(key.key), key.key_id


async def test_the_table_has_every_scope_and_every_scope_opens_something() -> None:
    assert {route.scope for route in GUARDED} == set(SCOPES)
    assert len(GUARDED) > 5 * len(OPEN)


async def test_without_a_key_every_guarded_route_is_closed(ask: Ask) -> None:
    assert set((await ask(None, GUARDED)).values()) == {(401, "missing_key")}


async def test_without_a_key_every_open_route_is_open(ask: Ask) -> None:
    for route, (status, code) in (await ask(None, OPEN)).items():
        assert status not in {401, 403, *range(500, 600)}, (route, status, code)


BAD = ["wrong", "mistyped", "another secret", "unknown id", "revoked", "expired", "other mode", "other address"]


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_key_opens_no_guarded_route_and_every_answer_is_the_same(
    service: Service, ask: Ask, kind: str
) -> None:
    assert set((await ask(await bad_key(service, kind), GUARDED)).values()) == {(401, "invalid_key")}


async def bad_key(service: Service, kind: str) -> str:
    """A key with every scope that must open nothing."""
    how: dict[str, Any] = {}
    if kind == "expired":
        how["expires_at"] = service.clock.now() + timedelta(minutes=1)
    if kind == "other address":
        how["allowed_cidrs"] = frozenset({"192.0.2.0/24"})
    if kind == "other mode":
        how["is_test"] = False
    text, key_id = await made(service, *SCOPES, **how)
    head = text[:-8]
    match kind:
        case "wrong":
            return "wrong"
        case "mistyped":
            return text[:-1] + ("0" if text[-1] != "0" else "1")
        case "another secret":
            head = head[:-1] + ("A" if head[-1] != "A" else "B")
            return head + checksum(head)
        case "unknown id":
            head = head.replace(key_id, "a" * len(key_id))
            return head + checksum(head)
        case "revoked":
            await service.run("operator:test", lambda work: keys.revoke(work, key_id))
        case "expired":
            service.clock.offset = timedelta(minutes=1)
    return text


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_key_with_one_scope_opens_the_routes_of_that_scope_and_no_others(
    service: Service, ask: Ask, scope: str
) -> None:
    text, _ = await made(service, scope)
    for route, (answer, code) in zip(GUARDED, (await ask(text, GUARDED)).values(), strict=True):
        if route.scope == scope:
            assert answer not in {401, 403, *range(500, 600)}, (route.path, answer, code)
        else:
            assert (answer, code) == (403, "missing_scope"), route.path


async def test_a_key_with_every_scope_but_one_is_kept_out_of_that_ones_routes(service: Service, ask: Ask) -> None:
    for lacking in SCOPES:
        text, _ = await made(service, *(scope for scope in SCOPES if scope != lacking))
        routes = [route for route in GUARDED if route.scope == lacking]
        assert set((await ask(text, routes)).values()) == {(403, "missing_scope")}
