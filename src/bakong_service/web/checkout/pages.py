"""Every address of the payer's pages. They are apart from the API: the OpenAPI document doesn't describe them."""

from collections.abc import Awaitable, Callable

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bakong_service.web.checkout import actions, assets, links, page, stream, tokens
from bakong_service.web.http import limits, problems
from bakong_service.web.http.auth import authenticate_payer
from bakong_service.web.http.service import of

_GONE = (401, 404)


@frozen
class PageRoute:
    """One entry: a method and a path, and who answers. With `{token}` in its path it is open to that payment's payer.

    A problem is shown as a page to somebody who looks at it (`seen`), and as a problem document to a script.
    """

    method: str
    path: str
    handler: Callable[[Request], Awaitable[Response]]
    seen: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, whatever is raised."""
        request = Request(scope, receive, send)
        try:
            response = await self._answer(request)
        except Exception as error:  # noqa: BLE001 - the border: each error becomes a page or a problem document
            response = self._problem(request, error)
        if scope["method"] == "HEAD":
            headers = dict(response.headers)
            response = Response(status_code=response.status_code)
            response.headers.update(headers)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        token = request.path_params.get("token")
        if token is not None:
            reference = tokens.reference_of(of(request), token)
            who = await authenticate_payer(request, reference, "payments:read")
            await limits.spend(request, who.key_id)
            request.path_params["reference"] = reference
        return await self.handler(request)

    def _problem(self, request: Request, error: Exception) -> Response:
        problem = problems.of(error)
        if not self.seen:
            return problems.document(request, problem)
        name, status = ("gone", 404) if problem.status in _GONE else ("busy", problem.status)
        response = page.message(request, name, status)
        response.headers.update(problem.headers)
        return response


# fmt: off
PAGES: tuple[PageRoute, ...] = (
    PageRoute("GET", "/pay/{token}", page.read),
    PageRoute("GET", "/pay/{token}/events", stream.read, seen=False),
    PageRoute("GET", "/pay/{token}/status", stream.status, seen=False),
    PageRoute("POST", "/pay/{token}/check", actions.check),
    PageRoute("GET", "/pay/{token}/deeplink", actions.deeplink, seen=False),
    PageRoute("GET", "/pay/{token}/open", actions.open_app),
    PageRoute("GET", "/pay/{token}/card.png", actions.card),
    PageRoute("POST", "/pay/{token}/new", actions.new_code),
    PageRoute("GET", "/l/{code}", links.read),
    PageRoute("POST", "/l/{code}", links.pay),
    PageRoute("GET", "/l/{code}/picture.png", links.picture, seen=False),
    PageRoute("GET", "/assets/{hash}/{name}", assets.read, seen=False),
)
# fmt: on
