"""Every answer of the service, held against the document that describes it."""

import copy
import json
import logging
import re
from collections.abc import Collection
from functools import cache
from typing import Any
from urllib.parse import unquote

import httpx
from jsonschema import Draft202012Validator

from bakong_service.web.http.application import Application
from bakong_service.web.http.openapi import document
from bakong_service.web.routes import ROUTES

SEEN = logging.getLogger("tests.seen")  # the listener of the whole run reads what is written here
_SHOWN_ONCE = re.compile(r'"(secret|key)":"[^"]*"')  # of a new endpoint or API key: whoever made it is shown it

EVERYWHERE = {
    "allow", "cache-control", "connection", "content-length", "content-security-policy", "content-type",
    "referrer-policy", "x-content-type-options", "x-frame-options", "x-accel-buffering",
}  # fmt: skip
"""Headers that belong to HTTP or that every answer has, so no operation names them."""


@cache
def described() -> dict[str, Any]:
    """The document, with the shapes of answers closed: a real answer has no member that isn't described."""
    found = copy.deepcopy(document(ROUTES))
    for schema in found["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    for name in ("PaymentEvent", "SubscriptionEvent", "EndpointEvent"):
        data = found["components"]["schemas"][name]["properties"]["data"]
        shape = data["$ref"].rpartition("/")[2]
        opened = copy.deepcopy(found["components"]["schemas"][shape]) | {"additionalProperties": True}
        found["components"]["schemas"][name]["properties"]["data"] = opened
    return found


@cache
def _validator(schema: str) -> Draft202012Validator:
    whole = {**json.loads(schema), "components": described()["components"]}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


def hold(schema: dict[str, Any], value: Any) -> None:
    """A value is what its schema says."""
    wrong = [f"{error.json_path}: {error.message}" for error in _validator(json.dumps(schema)).iter_errors(value)]
    assert not wrong, wrong


def operation_of(method: str, url: httpx.URL, paths: Collection[str]) -> dict[str, Any] | None:
    """What the document says of a request to one of the paths; None for what it doesn't know."""
    given = [unquote(part) for part in url.raw_path.decode().partition("?")[0].split("/")]
    for path in sorted(paths, key=lambda path: path.count("{")):
        parts = path.split("/")
        if len(parts) == len(given) and all(
            (part.startswith("{") and text) or part == text for part, text in zip(parts, given, strict=True)
        ):
            found: dict[str, Any] | None = described()["paths"][path].get("get" if method == "HEAD" else method.lower())
            return found
    return None


class Described(httpx.AsyncBaseTransport):
    """Holds every answer against the document: its status, its headers, its type and its body."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self._inner = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.seen: set[tuple[str, int]] = set()
        self.answers: dict[tuple[str, int], Any] = {}
        self.events = False  # whether events are real ones

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-type", "").partition(";")[0] != "text/event-stream":
            told = _SHOWN_ONCE.sub("", (await response.aread()).decode("utf-8", "replace"))
            SEEN.debug("%s %s", response.headers, told)
        operation = operation_of(request.method, request.url, self.app.state.openapi["paths"])
        if operation is not None:
            await self._check(operation, request, response)
        return response

    async def _check(self, operation: dict[str, Any], request: httpx.Request, response: httpx.Response) -> None:
        where = f"{request.method} {request.url} {response.status_code}"
        answer = operation["responses"].get(str(response.status_code))
        assert answer is not None, f"{where}: the document has no such status"
        headers = {name.lower(): header for name, header in answer["headers"].items()}
        unknown = response.headers.keys() - headers.keys() - EVERYWHERE
        assert not unknown, f"{where}: {unknown} aren't described"
        lacking = {name for name, header in headers.items() if header["required"]} - response.headers.keys()
        assert not lacking, f"{where}: {lacking} aren't there"
        self.seen.add((operation["operationId"], response.status_code))
        if "content" not in answer or request.method == "HEAD":
            assert not await response.aread(), where
            return
        kind = response.headers["content-type"].partition(";")[0]
        assert kind in answer["content"], f"{where}: {kind} isn't described"
        if kind.endswith("json"):
            body = json.loads(await response.aread())
            if self.events or not request.url.path.startswith("/v1/events"):
                hold(answer["content"][kind]["schema"], body)
            self.answers[operation["operationId"], response.status_code] = body
