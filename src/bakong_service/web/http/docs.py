"""`/openapi.json` for machines, `/docs` and `/` for people: without a script, and without anything from elsewhere."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.resources import encode
from bakong_service.resources.problem_codes import PROBLEM_CODES
from bakong_service.web.http import call_samples, entity_tags, limits
from bakong_service.web.http.vocabulary import TAGS

_STYLED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return await _kept(request, "openapi", _encoded, "application/json")


async def page(request: Request) -> Response:
    """Every URL, what it takes, who may call it, and how; every code of a problem."""
    return await _kept(request, "docs", _page, "text/html; charset=utf-8", _STYLED)


async def home(request: Request) -> Response:
    """What this is, and where to read on."""
    return await _kept(request, "home", _home, "text/html; charset=utf-8", _STYLED)


async def _kept(
    request: Request, name: str, make: Callable[[Any], bytes], media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A page that is made once for the whole life of the application; 304 if the caller has it already."""
    await limits.spend_without_key(request)
    state = request.app.state
    if not hasattr(state, f"page_{name}"):
        body = make(state.openapi)
        setattr(state, f"page_{name}", (body, f'"{sha256(body).hexdigest()[:32]}"'))
    body, tag = getattr(state, f"page_{name}")
    headers = {**(headers or {}), "ETag": tag, "Cache-Control": "no-cache"}
    if entity_tags.known(request).has(tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _encoded(document: dict[str, Any]) -> bytes:
    return encode(document)


def _page(document: dict[str, Any]) -> bytes:
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    groups = []
    for tag, meaning in TAGS.items():
        of_tag = [each for each in operations if each[2]["tags"][0] == tag]
        if of_tag:
            of_tag.sort(key=lambda each: (each[1].count("/"), each[1], each[0] != "POST", each[0]))
            groups.append((tag, meaning, [_shown(*each, document) for each in of_tag]))
    info = document["info"]
    return _rendered(
        "docs.html", version=info["version"], description=info["description"], groups=groups, codes=PROBLEM_CODES
    )


def _home(document: dict[str, Any]) -> bytes:
    return _rendered("home.html", version=document["info"]["version"])


def _rendered(name: str, **values: Any) -> bytes:
    html: str = _templates().get_template(name).render(**values)
    return html.encode()


@cache
def _templates() -> Environment:
    loader = PackageLoader("bakong_service.web")
    made = Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True)
    made.filters["coded"] = _coded
    return made


def _coded(text: str) -> Markup:
    """Return a text with what stands between backticks as code."""
    escaped = str(escape(text))  # a plain text: of a `Markup`, `re.sub` would escape its own tags too
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S704 - escaped first


def _shown(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    scope = next((scope for way in operation["security"] for scopes in way.values() for scope in scopes), None)
    headers = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    needed = {each["name"]: each["example"] for each in operation["parameters"] if "example" in each}
    called = f"{path}?{urlencode(needed)}" if needed else path
    told = {"needs_key": scope is not None, "keyed": "Idempotency-Key" in headers}
    return {
        "id": operation["operationId"],
        "method": method,
        "path": path,
        "scope": scope,
        "summary": operation["summary"],
        "description": operation["description"],
        "members": [*_parameters(operation), *_members(operation, document["components"]["schemas"])],
        "samples": [
            ("curl", call_samples.curl(method, called, body, **told)),
            ("Python", call_samples.python(method, called, body, **told)),
            ("TypeScript", call_samples.typescript(method, called, body, **told)),
        ],
        "answers": list(_answers(operation)),
    }


def _answers(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each success with a real answer, as text."""
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            if status.startswith("2") and kind == "application/json" and "example" in content:
                yield status, json.dumps(content["example"], ensure_ascii=False, indent=2)


def _parameters(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for parameter in operation["parameters"]:
        if parameter["in"] == "query":
            kind, required = _kind(parameter["schema"]), parameter["required"]
            meaning = parameter["description"]
            yield {"name": parameter["name"], "kind": kind, "where": "query", "required": required, "meaning": meaning}


def _members(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = schemas[reference.rpartition("/")[2]]
        for name, member in schema.get("properties", {}).items():
            required, meaning = name in schema.get("required", ()), member.get("description", "")
            yield {"name": name, "kind": _kind(member), "where": "body", "required": required, "meaning": meaning}


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return " or ".join(str(each) for each in schema["enum"])
    limits = ((f" of up to {schema['maxLength']} characters") if "maxLength" in schema else "") + (
        f", {schema['format']}" if "format" in schema else ""
    )
    return f"{schema.get('type', 'object')}{limits}"
