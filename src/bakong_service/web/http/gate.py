"""The outermost layer of every request: its id, the caller's address, safe headers of the answer, a line in the log."""

import re
import time
from collections.abc import Sequence
from ipaddress import ip_address
from secrets import token_hex

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bakong_service.settings.readers import Network
from bakong_service.web.http import problems
from bakong_service.web.http.limits import origin_of
from bakong_service.web.http.places import NoPlace, Place
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.server import PAUSE_READING
from bakong_service.web.http.service import Service

access = structlog.get_logger("bakong_service.access")
log = structlog.get_logger(__name__)

_NO_ADDRESS = "0.0.0.0"  # noqa: S104 - the peer of a Unix socket
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([0-9.]+):\d{1,5}")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_HEALTH = ("/health/live", "/health/ready")
_PROXIES_TOLD = 16  # at most so many unknown proxies are logged
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
        self._unnamed_proxies: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id"))
        scope["request_id"] = request_id
        scope["client_ip"] = self._client_ip(scope, forwarded=b"x-forwarded-for" in headers)
        place = scope["place"] = Place(self._service.places, scope.get(PAUSE_READING, _nothing))
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

        try:
            structlog.contextvars.bind_contextvars(request_id=request_id)  # the task of a request has its own context
            problem = self._refusal(scope) or await self._without_key(scope, headers, place)
            if problem is not None:
                await problems.document(Request(scope, receive), problem)(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        finally:
            place.leave()
            self._tell(scope, status, time.perf_counter() - started, request_id)

    def _refusal(self, scope: Scope) -> Problem | None:
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return Problem(status=400, code="invalid_url", detail="a URL must not have a NUL")
        return None

    async def _without_key(self, scope: Scope, headers: dict[bytes, bytes], place: Place) -> Problem | None:
        """Give a request without a key a place of its address, or refuse it. Health checks need no place."""
        if scope["path"] in _HEALTH or b"authorization" in headers:
            return None
        try:
            await place.move(self._service.places.by_address, origin_of(scope["client_ip"]))
        except NoPlace as error:
            await place.linger()
            told = {"Retry-After": "1", "Connection": "close"}
            return Problem(status=503, code="overloaded", detail=str(error), headers=told, retryable=True)
        return None

    def _client_ip(self, scope: Scope, *, forwarded: bool) -> str:
        peer: str = scope["client"][0] if scope.get("client") else _NO_ADDRESS
        if not forwarded:
            return peer
        trusted = self._service.settings.trusted_proxies
        told = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if not _within(peer, trusted) and len(self._unnamed_proxies) < _PROXIES_TOLD:
            self._tell_of_proxy(peer)
        return client_ip(peer, told, trusted)

    def _tell_of_proxy(self, peer: str) -> None:
        """Warn once about a peer in a private network that forwards requests of others.

        Until TRUSTED_PROXIES names it, all its clients count as one address, so one client's wrong keys block them all.
        """
        if peer not in self._unnamed_proxies and _is_address(peer) and ip_address(peer).is_private:
            self._unnamed_proxies.add(peer)
            log.warning("proxy_not_trusted", peer=peer, setting="TRUSTED_PROXIES")

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


def _nothing() -> None:
    """Do nothing: a test's request has no connection."""


def _request_id(given: bytes | None) -> str:
    """Return the caller's request id if it is a plain word, so that both logs have it; else a new id."""
    if given is not None and _REQUEST_ID.fullmatch(text := given.decode("latin-1")):
        return text
    return token_hex(16)


def client_ip(peer: str, told: Sequence[str], trusted: tuple[Network, ...]) -> str:
    """Return the address of a caller. `told` are the lines of `X-Forwarded-For`.

    They are read from the right, as long as the address that wrote the entry is a trusted proxy. Nothing that an
    unknown address wrote is believed.
    """
    address = peer
    forwarded = [_bare(part.strip()) for line in told for part in line.split(",")]
    while forwarded and _within(address, trusted) and _is_address(forwarded[-1]):
        address = forwarded.pop()
    return address


def _bare(text: str) -> str:
    """Return an address without the brackets and the port that some proxies write."""
    found = _WITH_PORT.fullmatch(text)
    return text if found is None else found[1] or found[2] or ""


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
