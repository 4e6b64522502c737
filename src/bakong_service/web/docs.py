"""`/openapi.json` for machines and `/docs` for people: one page, nothing loaded from elsewhere, no script."""

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bakong_service.web import answers
from bakong_service.web.problem_codes import PROBLEM_CODES

_STYLED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return answers.json(request.app.state.openapi)


async def page(request: Request) -> Response:
    """Every URL, what it takes, who may call it; every problem code."""
    document = request.app.state.openapi
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    operations.sort(key=lambda each: (each[2]["tags"][0], each[1], each[0]))
    groups = [
        (tag, [_shown(*operation, document) for operation in group])
        for tag, group in groupby(operations, key=lambda each: each[2]["tags"][0])
    ]
    info = document["info"]
    html = _template().render(
        version=info["version"], description=info["description"], groups=groups, codes=PROBLEM_CODES
    )
    return HTMLResponse(html, headers=_STYLED)


@cache
def _template() -> Any:
    environment = Environment(loader=PackageLoader("bakong_service.web"), autoescape=select_autoescape())
    return environment.get_template("docs.html")


def _shown(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    return {
        "method": method,
        "path": path,
        "scope": operation.get("x-scope"),
        "description": operation["description"] or operation["summary"],
        "members": [*_parameters(operation), *_members(operation, document["components"]["schemas"])],
    }


def _parameters(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for parameter in operation["parameters"]:
        if parameter["in"] == "query":
            yield {"name": parameter["name"], "kind": _kind(parameter["schema"]), "where": "query", "required": False}


def _members(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = schemas[reference.rpartition("/")[2]]
        for name, member in schema["properties"].items():
            yield {"name": name, "kind": _kind(member), "where": "body", "required": name in schema["required"]}


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return " or ".join(str(each) for each in schema["enum"])
    limits = ((f" of up to {schema['maxLength']} characters") if "maxLength" in schema else "") + (
        f", {schema['format']}" if "format" in schema else ""
    )
    return f"{schema.get('type', 'object')}{limits}"
