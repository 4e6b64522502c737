"""The OpenAPI document, made from the routes that are served: what is described and what is there can't differ."""

import re
from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from bakong_service import __version__
from bakong_service.web.answer_shapes import BY_NAME, ProblemDocument
from bakong_service.web.route import Route

_TEMPLATE = "#/components/schemas/{name}"
_OBJECT = {"type": "object"}
_TEXT_LIMIT = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """OpenAPI 3.1 for `routes`."""
    routes = tuple(routes)
    shapes = {route.body for route in routes if route.body} | {*BY_NAME.values(), ProblemDocument}
    shapes_in_order = sorted(shapes, key=lambda shape: (shape.__name__, shape.__module__))
    _, components = msgspec.json.schema_components(shapes_in_order, ref_template=_TEMPLATE)
    for shape in shapes_in_order:
        components[_name_of(shape, components)]["additionalProperties"] = False
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "bakong-service", "version": __version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
        },
    }


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "description": _first_paragraphs(route.handler.__doc__),
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', route.path.lower()).strip('_')}",
        "tags": [_tag(route.path)],
        "parameters": list(_parameters(route)),
        "responses": {
            str(route.status): _success(route),
            "default": {
                "description": "A problem (RFC 9457)",
                "content": {"application/problem+json": {"schema": _ref(ProblemDocument, components)}},
            },
        },
    }
    if route.scope is not None:
        operation["security"] = [{"key": []}]
        operation["x-scope"] = route.scope
    if route.body is not None:
        required = any(field.default is attrs.NOTHING for field in attrs.fields(route.body))
        schema = _ref(route.body, components)
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
    return operation


def _parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if route.query is not None:
        for field in attrs.fields(route.query):
            schema = msgspec.json.schema(field.type)
            yield {"name": field.name, "in": "query", "required": False, "schema": schema}
    if (route.answer or "").startswith("list of ") and route.query is not None:
        yield {"name": "limit", "in": "query", "required": False, "schema": _TEXT_LIMIT}
        for name in ("starting_after", "ending_before"):
            yield {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
    if route.method != "GET" and route.scope is not None:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same key with the same body gets the same answer, for seven days.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }


def _success(route: Route) -> dict[str, Any]:
    answer = route.answer or ""
    if "/" in answer:
        return {"description": route.summary, "content": {answer: {"schema": {"type": "string"}}}}
    item = answer.removeprefix("list of ")
    schema = _shape(answer) if item == answer else _list_of(_shape(item))
    return {"description": route.summary, "content": {"application/json": {"schema": schema}}}


def _shape(name: str) -> dict[str, Any]:
    shape = BY_NAME.get(name)
    return dict(_OBJECT) if shape is None else {"$ref": _TEMPLATE.format(name=shape.__name__)}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["object", "data", "has_more"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": items},
            "has_more": {"type": "boolean"},
            "next_cursor": {"type": ["string", "null"]},
        },
    }


def _ref(shape: type[Any], components: dict[str, Any]) -> dict[str, str]:
    return {"$ref": _TEMPLATE.format(name=_name_of(shape, components))}


def _name_of(shape: type[Any], components: dict[str, Any]) -> str:
    """The component's name: the class's own, or with its module where two classes are called alike."""
    qualified = f"{shape.__module__}.{shape.__qualname__}"
    return qualified if qualified in components else shape.__name__


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "v1" and len(parts) > 1 else "service"


def _first_paragraphs(text: str | None) -> str:
    return re.sub(r"\n\s*", "\n", (text or "").strip())


_DESCRIPTION = (
    "Payments and subscriptions over Bakong KHQR. Amounts are texts in major units, moments ISO 8601 in UTC. Unknown "
    "members and parameters are refused. Errors are problem documents with a stable `code`."
)
