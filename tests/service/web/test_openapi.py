"""What is described is what is served: routes, shapes, and every problem code."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import attrs
import httpx
import msgspec
import pytest

import bakong_service
from bakong_service.web.answer_shapes import BY_NAME, ProblemDocument
from bakong_service.web.openapi import document
from bakong_service.web.problem_codes import PROBLEM_CODES
from bakong_service.web.routes import ROUTES

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def holds(value: dict[str, Any], shape: type[Any]) -> None:
    """A real answer has the members of its shape, and no others."""
    optional = {field.name for field in attrs.fields(shape) if field.default is not attrs.NOTHING}
    names = {field.name for field in attrs.fields(shape)}
    assert value.keys() <= names
    assert names - value.keys() <= optional
    msgspec.convert(value, shape)


async def test_every_route_is_described_with_its_scope(stranger: httpx.AsyncClient) -> None:
    served = (await stranger.get("/openapi.json")).json()
    described = {
        (method.upper(), path, operation.get("x-scope"))
        for path, methods in served["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {(route.method, route.path, route.scope) for route in ROUTES}
    ids = [operation["operationId"] for methods in served["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


async def test_every_reference_within_the_document_leads_somewhere() -> None:
    described = document(ROUTES)
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert references <= described["components"]["schemas"].keys()


async def test_live_mode_describes_no_test_routes(service_of: Any, client_to: Any) -> None:
    live = service_of(MODE="live", BAKONG_BASE_URL="https://api-bakong.nbc.gov.kh")
    async with client_to(live, key=None) as stranger:
        assert not any("/test/" in path for path in (await stranger.get("/openapi.json")).json()["paths"])


async def test_the_page_for_people_names_every_route_and_loads_nothing(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for route in ROUTES:
        assert route.path in page.text
    assert "<script" not in page.text
    assert not re.search(r'(?:src|href)="https?:', page.text)


async def test_real_answers_have_the_shapes_that_are_described(client: httpx.AsyncClient) -> None:
    payment = (await client.post("/v1/payments", json={"user_id": "u", "plan": "PREMIUM"})).json()
    holds(payment, BY_NAME["payment"])
    key = (await client.post("/v1/keys", json={"name": "n", "scopes": ["webhooks"]})).json()
    holds(key, BY_NAME["key with text"])
    holds((await client.get("/v1/budget")).json(), BY_NAME["budget"])
    for path, noun in (
        ("/v1/payments", "payment"),
        (payment["links"]["history"], "change"),
        ("/v1/plans", "plan"),
        ("/v1/keys", "key"),
        ("/v1/audit", "audit_entry"),
    ):
        items = (await client.get(path)).json()["data"]
        assert items, path
        for item in items:
            holds(item, BY_NAME[noun])
    holds((await client.get("/nowhere")).json(), ProblemDocument)


def codes_in_the_sources() -> set[str]:
    """Every constant code that is given to a refusal, anywhere in the service."""
    found = set()
    root = Path(bakong_service.__file__).parent
    for path in root.rglob("*.py"):
        if path.is_relative_to(root / "settings"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in {"Conflict", "NotFound", "Invalid", "Problem", "_unavailable", "_unauthorised"}:
                    given = [keyword.value for keyword in node.keywords if keyword.arg == "code"] or node.args[:1]
                    found |= {each.value for each in given if isinstance(each, ast.Constant)}
    return found


def test_every_code_that_can_be_told_is_documented() -> None:
    assert codes_in_the_sources() - PROBLEM_CODES.keys() == set()
