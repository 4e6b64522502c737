"""What every request passes: an id, the caller's address, safe headers on the answer, a line in the log."""

import re
import time
from ipaddress import ip_address
from uuid import uuid4

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bakong_service.settings.readers import Network
from bakong_service.web import problems
from bakong_service.web.problems import Problem
from bakong_service.web.service import Service

access = structlog.get_logger("bakong_service.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_AT_ONCE = 1000  # requests under way; more are told to come back, before memory tells them
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]


class Gate:
    """The outermost ASGI layer."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id"))
        scope["request_id"] = request_id
        scope["client_ip"] = _client_ip(scope, headers, self._service.settings.trusted_proxies)
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *(header for header in _HEADERS if header[0] not in given),
                ]
            await send(message)

        self._under_way += 1
        try:
            structlog.contextvars.bind_contextvars(request_id=request_id)  # a request's task has a context of its own
            if problem := self._refusal(scope):
                await problems.document(Request(scope, receive), problem)(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        finally:
            self._under_way -= 1
            self._tell(scope, status, time.perf_counter() - started, request_id)

    def _refusal(self, scope: Scope) -> Problem | None:
        if self._under_way > _AT_ONCE:
            headers = {"Retry-After": "1"}
            detail = f"more than {_AT_ONCE} requests are under way"
            return Problem(status=503, code="overloaded", detail=detail, headers=headers, retryable=True)
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return Problem(status=400, code="invalid_url", detail="NUL has no place in a URL")
        return None

    def _tell(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = getattr(scope.get("route"), "path", None)
        self._service.metrics.request(scope["method"], route or "none", status, seconds)
        caller = scope.get("state", {}).get("caller")
        access.info(
            "request",
            request_id=request_id,
            method=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 1),
            key_id=caller.key_id if caller is not None else None,
            ip=scope["client_ip"],
        )


def _request_id(given: bytes | None) -> str:
    """The caller's own id where it is a plain word, so that both logs can be read together; else a new one."""
    if given is not None and _REQUEST_ID.fullmatch(text := given.decode("latin-1")):
        return text
    return uuid4().hex


def _client_ip(scope: Scope, headers: dict[bytes, bytes], trusted: tuple[Network, ...]) -> str:
    """Where the request comes from. `X-Forwarded-For` is read from its right end, for as long as each address that told
    the next is a trusted proxy: whatever a stranger wrote before that counts for nothing."""
    peer = scope.get("client")
    address: str = peer[0] if peer else "0.0.0.0"  # noqa: S104 - no address: a Unix socket
    forwarded = [part.strip() for part in headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")]
    while forwarded and _within(address, trusted) and _is_address(forwarded[-1]):
        address = forwarded.pop()
    return address


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _within(address: str, networks: tuple[Network, ...]) -> bool:
    if not networks or not _is_address(address):
        return False
    found = ip_address(address)
    return any(found in network for network in networks)
