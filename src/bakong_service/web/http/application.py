"""The ASGI application of a service: the gate before the URL table."""

from functools import cache
from typing import Any

from attrs import evolve, field, frozen
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bakong_service.storage.engine.patience import for_requests
from bakong_service.web.checkout.pages import PAGES
from bakong_service.web.http import limits, problems
from bakong_service.web.http.gate import Gate
from bakong_service.web.http.openapi import document
from bakong_service.web.http.service import Service
from bakong_service.web.http.url_path import Table
from bakong_service.web.routes import ROUTES


@frozen(eq=False)
class Application:
    """The service over ASGI. It starts and stops nothing: that is the composition root's.

    Starlette's own application would put four layers around each route. The gate, and the border of each route, do
    here what they do.
    """

    table: Table
    state: State  # what handlers find as `request.app.state`
    _gate: ASGIApp = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_gate", Gate(self._answer, self.state.service))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["app"] = self
        await self._gate(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            route = self.table.find(scope)
        except HTTPException as error:
            response = await _unrouted(Request(scope, receive), error)
            await response(scope, receive, send)
        else:
            await route(scope, receive, send)


def application(service: Service) -> Application:
    """Return the service over ASGI."""
    table, openapi = _routed(is_test=service.settings.is_test)
    patient = evolve(service, executor=for_requests(service.executor))
    return Application(table, State({"service": patient, "openapi": openapi}))


@cache
def _routed(*, is_test: bool) -> tuple[Table, dict[str, Any]]:
    """Return the URL table and the document of one mode. Nobody changes them, so all applications share them."""
    routes = [route for route in ROUTES if is_test or not route.test_only]
    return Table([*routes, *PAGES]), document(routes, demands_keys=not is_test)


async def _unrouted(request: Request, error: HTTPException) -> Response:
    """Answer a request that no route takes, and count it against its address: it shows no key."""
    try:
        await limits.spend_without_key(request)
    except problems.Problem as refused:
        return problems.document(request, refused)
    return problems.answer(request, error)
