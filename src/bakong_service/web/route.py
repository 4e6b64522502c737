"""One entry of the URL table: what it answers to, who may call it, what it takes and gives.

The OpenAPI document is made from the same entries, so what is served and what is described can't differ.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

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
        """The entry as Starlette takes it: authenticates, checks the scope, and answers whatever is raised."""

        async def endpoint(request: Request) -> Response:
            try:
                if self.scope is not None:
                    request.state.caller = await authenticate(request)
                    permit(request.state.caller, self.scope)
                    allowance = await limits.spend(request, request.state.caller.key_id)
                    response = await self.handler(request)
                    response.headers.update(limits.headers_of(allowance))
                    return response
                return await self.handler(request)
            except Exception as error:  # noqa: BLE001 - the border: each error becomes a problem, the unforeseen a logged 500
                return problems.answer(request, error)

        return StarletteRoute(self.path, endpoint, methods=[self.method])
