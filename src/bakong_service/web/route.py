"""One entry of the URL table: what it answers to, who may call it, what it takes and gives.

The OpenAPI document is made from the same entries, so what is served and what is described can't differ.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from bakong_service.web import limits, problems
from bakong_service.web.auth import authenticate, permit

Handler = Callable[[Request], Awaitable[Response]]


@frozen
class Route:
    """A method and a path (`{name}` takes one segment), its handler, the scope it needs (None: open to all)."""

    method: str
    path: str
    handler: Handler
    scope: str | None
    summary: str
    body: type[Any] | None = None  # the attrs class of its JSON body
    query: type[Any] | None = None  # the attrs class of its filters
    answer: str | None = None  # the schema of its answer, by name; "list of payment" for a page of them
    status: int = 200  # of a success
    test_only: bool = False  # there in test mode alone

    def for_starlette(self) -> StarletteRoute:
        """The entry as Starlette takes it. It is the endpoint itself, as an ASGI application: a function would be
        wrapped in two more layers, for errors that don't come out of here."""
        return StarletteRoute(self.path, self, methods=[self.method])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, check the scope, and answer, whatever is raised."""
        request = Request(scope, receive, send)
        try:
            response = await self._answer(request)
        except Exception as error:  # noqa: BLE001 - the border: each error becomes a problem, the unforeseen a logged 500
            response = problems.answer(request, error)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if self.scope is None:
            return await self.handler(request)
        request.state.caller = who = await authenticate(request)
        permit(who, self.scope)
        allowance = await limits.spend(request, who.key_id)
        response = await self.handler(request)
        response.headers.update(limits.headers_of(allowance))
        return response
