"""What is described is what is served: routes, shapes, and every problem code."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from openapi_spec_validator import validate
from starlette.requests import Request

import bakong_service
from bakong_service import resources
from bakong_service.domain.event import EVENT_TYPES
from bakong_service.resources.problem_codes import PROBLEM_CODES, REPEATABLE
from bakong_service.web.http import problems, schemas
from bakong_service.web.http.openapi import document
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.route import Keyed
from bakong_service.web.http.vocabulary import BODIES, PARAMETERS
from bakong_service.web.routes import ROUTES
from kit.described import Described
from kit.service import ServiceOf, client_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def everything(value: Any) -> Iterator[dict[str, Any]]:
    """Every object within a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from everything(inner)


def operations() -> dict[str, dict[str, Any]]:
    """Every operation of the document, by its id."""
    return {
        operation["operationId"]: operation
        for methods in document(ROUTES)["paths"].values()
        for operation in methods.values()
    }


def test_the_document_is_valid() -> None:
    validate(document(ROUTES))


async def test_every_route_is_described_with_its_scope(stranger: httpx.AsyncClient) -> None:
    served = (await stranger.get("/openapi.json")).json()
    described = {
        (method.upper(), path, operation["security"][0]["key"][0] if operation["security"] else None)
        for path, methods in served["paths"].items()
        for method, operation in methods.items()
        if operation["security"][:1] != [{}]
    }
    assert described == {(route.method, route.path, route.scope) for route in ROUTES if route.more_with is None}
    ids = [operation["operationId"] for methods in served["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_within_the_document_leads_to_a_component() -> None:
    described = document(ROUTES)
    references = {each["$ref"] for each in everything(described) if "$ref" in each}
    assert references == {f"#/components/schemas/{name}" for name in described["components"]["schemas"]} & references
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) for name in described["components"]["schemas"])
    assert not any("$defs" in each for each in everything(described))


def test_every_answer_names_its_shape() -> None:
    for name, operation in operations().items():
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                if kind.endswith("json") and name != "get_openapi_json":
                    assert content["schema"].keys() <= {"$ref", "anyOf"}, (name, status)
        assert "default" not in operation["responses"]


def test_every_member_has_a_sentence_and_every_sentence_a_member() -> None:
    described = document(ROUTES)
    used = set()
    for name, schema in described["components"]["schemas"].items():
        for member, of in schema.get("properties", {}).items():
            assert of["description"], (name, member)
            if schema.get("additionalProperties") is False:  # of a body
                used |= {member, f"{name}.{member}"}
    assert BODIES.keys() - used == set()
    taken = [parameter for operation in operations().values() for parameter in operation["parameters"]]
    assert all(parameter["description"] for parameter in taken)
    assert PARAMETERS.keys() == {parameter["name"] for parameter in taken if parameter["in"] != "header"}
    assert described["webhooks"].keys() == EVENT_TYPES.keys()


def test_every_resource_says_what_its_members_mean() -> None:
    for name in resources.__all__:
        kind = getattr(resources, name)
        if isinstance(kind, type) and kind is not resources.Family:
            silent = [each.name for each in attrs.fields(kind) if not each.metadata and each.name != "object"]
            assert (name, silent) == (name, [])


def test_a_member_that_may_be_left_out_is_demanded_by_no_generator() -> None:
    for route in ROUTES:
        if route.body is not None:
            name = schemas.reference(route.body)["$ref"].rpartition("/")[2]
            schema = document(ROUTES)["components"]["schemas"][name]
            assert schema["additionalProperties"] is False
            assert not any("default" in member for member in schema["properties"].values())


def test_every_whole_number_of_a_request_has_an_end() -> None:
    """One of 21 digits was HTTP 500, because no column holds it."""
    described = document(ROUTES)
    asked = [
        *(each["schema"] for operation in operations().values() for each in operation.get("parameters", ())),
        *(described["components"]["schemas"][schemas.reference(route.body)["$ref"].rpartition("/")[2]]
          for route in ROUTES if route.body is not None),
    ]  # fmt: skip
    numbers = [each for each in everything(asked) if each.get("type") == "integer"]
    assert len(numbers) > 5
    assert [each for each in numbers if not each.get("maximum", 2**63) < 2**53] == []


def called(handler: Any) -> set[str]:
    """What a handler names, and what the functions of its own module name that it calls."""
    names, waiting, seen = set(), [handler], set()
    while waiting:
        function = waiting.pop()
        seen.add(function)
        names |= set(function.__code__.co_names)
        own = [function.__globals__.get(name) for name in function.__code__.co_names]
        near = {each for each in own if inspect.isfunction(each) and each.__module__ == handler.__module__}
        waiting += near - seen
    return names


def test_a_key_is_taken_exactly_where_it_is_read() -> None:
    for route in ROUTES:
        reads = "idempotent" in called(route.handler)
        assert reads == (route.keyed is not Keyed.IGNORED), route.path


def test_live_mode_demands_a_key_where_test_mode_does_not() -> None:
    demanded = {route.path for route in ROUTES if route.keyed is Keyed.DEMANDED}
    assert demanded == {"/v1/payments", "/v1/users/{user_id}/credit"}
    for live in (True, False):
        for path in demanded:
            parameters = document(ROUTES, demands_keys=live)["paths"][path]["post"]["parameters"]
            [key] = [each for each in parameters if each["name"] == "Idempotency-Key"]
            assert key["required"] is live


def test_every_problem_belongs_to_an_operation() -> None:
    nowhere = {"no_such_route", "method_not_allowed", "http_error"}
    assert PROBLEM_CODES.keys() - {code for route in ROUTES for code in route.codes} - nowhere == set()


async def test_live_mode_describes_no_test_routes(service_of: ServiceOf) -> None:
    live = service_of(MODE="live", BAKONG_BASE_URL="https://api-bakong.nbc.gov.kh")
    async with client_of(live, key=None) as stranger:
        assert not any("/test/" in path for path in (await stranger.get("/openapi.json")).json()["paths"])


async def test_the_page_for_people_names_every_route_and_loads_nothing(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for route in ROUTES:
        assert route.path in page.text
    assert "<script" not in page.text
    assert not re.search(r'(?:src|href)="https?:', page.text)


def test_every_preview_is_described_beside_its_answer() -> None:
    schemes = document(ROUTES)["paths"]
    for action, shapes in {
        "upgrade": ("Upgrade", "UpgradePreview"),
        "downgrade": ("Subscription", "DowngradePreview"),
        "cancel": ("Subscription", "CancelPreview"),
    }.items():
        answer = schemes[f"/v1/subscriptions/{{reference}}/{action}"]["post"]["responses"]["200"]
        schema = answer["content"]["application/json"]["schema"]
        assert schema == {"anyOf": [{"$ref": f"#/components/schemas/{shape}"} for shape in shapes]}


def codes_in_the_sources() -> set[str]:
    """Every constant code that is given to a refusal, anywhere in the service."""
    found: set[str] = set()
    root = Path(bakong_service.__file__).parent
    for path in root.rglob("*.py"):
        if path.is_relative_to(root / "settings"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in {"Conflict", "NotFound", "Invalid", "Problem", "_unavailable", "_unauthorised"}:
                    given = [keyword.value for keyword in node.keywords if keyword.arg == "code"] or node.args[:1]
                    constants = (each.value for each in given if isinstance(each, ast.Constant))
                    found |= {value for value in constants if isinstance(value, str)}
    return found


def test_every_code_that_can_be_told_is_documented() -> None:
    assert codes_in_the_sources() - PROBLEM_CODES.keys() == set()


@pytest.mark.parametrize("code", sorted(REPEATABLE))
async def test_what_may_succeed_when_it_is_repeated_is_retryable(stranger: httpx.AsyncClient, code: str) -> None:
    assert isinstance(stranger._transport, Described)
    app = stranger._transport.app  # the application behind the checks
    status, detail = PROBLEM_CODES[code]
    request = Request({"type": "http", "app": app, "path": "/", "headers": []})
    answer = problems.document(request, Problem(status=status, code=code, detail=detail))
    assert json.loads(bytes(answer.body))["retryable"] is True
    assert answer.headers["retry-after"] == "1"
