"""The OpenAPI document, made from the routes that are served: what is described and what is there can't differ."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any

import attrs
import msgspec

from bakong_service import __version__
from bakong_service.domain.event import EVENT_TYPES
from bakong_service.resources import ProblemDocument
from bakong_service.resources.problem_codes import PROBLEM_CODES, REPEATABLE
from bakong_service.web.http import queries, schemas
from bakong_service.web.http.route import Keyed, Route
from bakong_service.web.http.vocabulary import HEADERS, PARAMETERS, TAGS

_KEY, _CLIENT = "key", "client"  # the names of the security schemes
_TEXT = {"type": "string"}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
_STATUSES_OF_REPEATABLE = {PROBLEM_CODES[code][0] for code in REPEATABLE}
_SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


def document(routes: Iterable[Route], *, demands_keys: bool = True) -> dict[str, Any]:
    """Return OpenAPI 3.1 for `routes`. `demands_keys` says whether `Idempotency-Key` is required where a route demands
    it: live mode insists on it, test mode doesn't."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, demands_keys)
    tags = dict.fromkeys(tag(route.path) for route in routes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bakong-service",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The service that this document came from."}],
        "tags": [{"name": name, "description": TAGS[name]} for name in tags],
        "paths": paths,
        "webhooks": {kind: {"post": _webhook(kind)} for kind in EVENT_TYPES},
        "components": {
            "schemas": schemas.components(routes),
            "securitySchemes": {
                _KEY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key. An operation names the scope that the key needs.",
                },
                _CLIENT: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The `client_token` of the payment in the path, for a payer's browser.",
                },
            },
        },
    }


def operation_id(route: Route) -> str:
    """Return the name of a route's operation: `post_v1_payments`."""
    path = re.sub(r"[^a-z0-9]+", "_", route.path.lower()).strip("_")
    return f"{route.method.lower()}_{path or 'home'}"


def tag(path: str) -> str:
    """Return the group that a path belongs to: `payments` for `/v1/payments/...`."""
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "v1" and len(parts) > 1 else "service"


def _operation(route: Route, demands_keys: bool) -> dict[str, Any]:
    name = operation_id(route)
    operation: dict[str, Any] = {
        "summary": route.summary,
        "description": _paragraphs(route),
        "operationId": name,
        "tags": [tag(route.path)],
        "parameters": list(_parameters(route, demands_keys)),
        "responses": {str(status): response for status, response in sorted(_responses(route, name).items())},
        "security": _security(route),
    }
    if route.body is not None:
        # A shape with rules of its own refuses an empty object, though each of its members may be left out.
        ruled = hasattr(route.body, "faults") or route.signed
        required = ruled or any(field.default is attrs.NOTHING for field in attrs.fields(route.body))
        content: dict[str, Any] = {"schema": schemas.reference(route.body)}
        if (example := examples().get(name, {}).get("request")) is not None:
            content["example"] = example
        operation["requestBody"] = {"required": required, "content": {"application/json": content}}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.scope is not None:
        with_token: list[dict[str, list[str]]] = [{_CLIENT: []}] if route.client else []
        return [{_KEY: [route.scope]}, *with_token]
    return [] if route.more_with is None else [{}, {_KEY: [route.more_with]}]


def _parameters(route: Route, demands_keys: bool) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", route.path):
        yield _parameter(name, "path", {"type": "string", "minLength": 1}, required=True)
    for field in attrs.fields(route.query):
        described = _query_parameter(field)
        example = examples().get(operation_id(route), {}).get("query", {}).get(described["name"])
        yield described if example is None else {**described, "example": example}
    if route.paged:
        for name, schema in (("limit", _LIMIT), ("starting_after", _TEXT), ("ending_before", _TEXT)):
            yield _parameter(name, "query", schema)
    if route.tagged:
        yield _header_parameter("If-None-Match", _TEXT)
    if route.resumed:
        yield _header_parameter("Last-Event-ID", _TEXT)
    if route.keyed is not Keyed.IGNORED:
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        yield _header_parameter("Idempotency-Key", schema, required=demands_keys and route.keyed is Keyed.DEMANDED)
    for name in _SIGNED if route.signed else ():
        yield _header_parameter(name, _TEXT, required=True)


def _query_parameter(field: Any) -> dict[str, Any]:
    name, schema = queries.parameter(field), schemas.of_parameter(field)
    required = field.default is attrs.NOTHING
    described = _parameter(name, "query", schema, required=required)
    if not queries.is_map(field):
        return described
    schema["maxProperties"] = queries.MOST_NAMED
    return {**described, "style": "deepObject", "explode": True}  # metadata[order]=7


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "description": PARAMETERS[name], "schema": schema}


def _header_parameter(name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": HEADERS[name], "schema": schema}


def _responses(route: Route, name: str) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for status, answer in {route.status: route.answer, **route.also}.items():
        found[status] = {
            "description": HTTPStatus(status).phrase if status in route.also else route.summary,
            "headers": dict(_headers_of_success(route)),
        }
        if answer is not None:
            found[status]["content"] = _content(answer, examples().get(name, {}).get(str(status)))
            if route.as_csv:
                found[status]["content"]["text/csv"] = {"schema": _TEXT}
    codes = defaultdict(list)
    for code in route.codes:
        codes[PROBLEM_CODES[code][0]].append(code)
    for status, named in codes.items():
        problem = {"schema": schemas.reference(ProblemDocument)}
        if (example := examples().get("problems", {}).get(str(status))) is not None:
            problem["example"] = example
        described = "\n".join(f"- `{code}`: {PROBLEM_CODES[code][1]}" for code in named)
        refusal = found.setdefault(status, {"description": "", "headers": {}, "content": {}})
        refusal["description"] = f"{refusal['description']}\n{described}".strip()
        refusal["headers"] |= dict(_headers_of_problem(route, status))
        refusal["content"]["application/problem+json"] = problem
    return found


def _content(answer: Any, example: Any) -> dict[str, Any]:
    if isinstance(answer, str):
        text = dict(_TEXT) if answer.startswith(("text/", "image/svg")) else {"type": "string", "format": "binary"}
        return {answer: {"schema": text}}
    content = {"schema": schemas.of_answer(answer)}
    return {"application/json": content if example is None else {**content, "example": example}}


def _headers_of_success(route: Route) -> Iterator[tuple[str, dict[str, Any]]]:
    yield _header("X-Request-Id", required=True)
    if route.scope is not None:
        yield _header("RateLimit")
        yield _header("RateLimit-Policy")
    if route.tagged:
        yield _header("ETag", required=True)
    if route.keyed is not Keyed.IGNORED:
        yield _header("Idempotency-Replayed")


def _headers_of_problem(route: Route, status: int) -> Iterator[tuple[str, dict[str, Any]]]:
    yield _header("X-Request-Id", required=True)
    if status == HTTPStatus.UNAUTHORIZED and (route.scope or route.more_with):
        yield _header("WWW-Authenticate", required=True)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        yield _header("Retry-After", required=True)
        if route.scope is not None:
            yield _header("RateLimit")
            yield _header("RateLimit-Policy")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:  # a URL that isn't a simulator's won't be one later
        yield _header("Retry-After", required="not_a_simulator" not in route.codes)
    elif status in _STATUSES_OF_REPEATABLE:
        yield _header("Retry-After")


def _header(name: str, *, required: bool = False) -> tuple[str, dict[str, Any]]:
    return name, {"description": HEADERS[name], "required": required, "schema": _TEXT}


def _webhook(kind: str) -> dict[str, Any]:
    return {
        "summary": kind,
        "description": f"{EVENT_TYPES[kind]} Answer 2xx within 10 seconds; anything else is tried again.",
        "operationId": f"webhook_{kind.replace('.', '_')}",
        "tags": ["events"],
        "security": [],
        "parameters": [_header_parameter(name, _TEXT, required=True) for name in _SIGNED],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schemas.of_event(kind)}}},
        "responses": {
            "2XX": {"description": "The event was taken."},
            "4XX": {"description": "The event is tried again."},
        },
    }


def _paragraphs(route: Route) -> str:
    text = re.sub(r"\n\s*", "\n", (route.handler.__doc__ or "").strip())
    return f"{text}\n\nOnly in test mode." if route.test_only else text


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Return real answers by operation and status, as a test took them."""
    text = resources.files("bakong_service.web.http").joinpath("examples.json").read_bytes()
    found: dict[str, dict[str, Any]] = msgspec.json.decode(text)
    return found


_DESCRIPTION = (
    "Payments and subscriptions over Bakong KHQR. Amounts are texts in major units, moments ISO 8601 in UTC. Unknown "
    "members and parameters are refused. Errors are problem documents with a stable `code`. HEAD is answered wherever "
    "GET is. Members may be added to answers, and types to events: skip what you don't know."
)
