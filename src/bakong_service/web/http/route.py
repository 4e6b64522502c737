"""One entry of the URL table: what it answers to, who may call it, what it takes and gives.

The OpenAPI document is made from the same entries, so what is served and what is described can't differ.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

from attrs import Factory, frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bakong_service.domain import client_token
from bakong_service.web.checkout import tokens
from bakong_service.web.http import inputs, limits, problems
from bakong_service.web.http.auth import Caller, authenticate, authenticate_payer, bearer, permit
from bakong_service.web.http.bodies import Nothing
from bakong_service.web.http.service import of

Handler = Callable[[Request], Awaitable[Response]]


class Keyed(StrEnum):
    """What a route does with `Idempotency-Key`."""

    IGNORED = "ignored"
    TAKEN = "taken"  # the same key with the same request gets the same answer
    DEMANDED = "demanded"  # as TAKEN; and in live mode a request without a key is refused


@frozen
class Route:
    """A method and a path (`{name}` takes one segment), its handler, the scope it needs (None: open to all)."""

    method: str
    path: str
    handler: Handler
    scope: str | None
    summary: str
    answer: Any  # the shape of a success: a class, `list[...]` for a page of them, a union, or a media type
    status: int = 200  # of that success
    also: Mapping[int, Any] = Factory(dict)  # further successes; None for one without a body
    body: type[Any] | None = None  # the attrs class of its JSON body
    query: type[Any] = Nothing  # the attrs class of its parameters
    paged: bool = False  # takes `limit`, `starting_after` and `ending_before` too
    resumed: bool = False  # is a stream, and reads `Last-Event-ID`
    as_csv: bool = False  # answers with CSV too, if the caller asks for it
    keyed: Keyed = Keyed.IGNORED
    tagged: bool = False  # sends an `ETag`, and reads `If-None-Match`
    signed: bool = False  # is open, but demands the headers of a signature
    more_with: str | None = None  # an open route that shows more to a key with this scope
    client: bool = False  # takes the client token of the payment in its path, instead of a key
    offline: bool = False  # answers without the database
    refuses: str = ""  # codes of problems that only some routes have, with a space between
    test_only: bool = False  # there in test mode alone

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the code of every problem that this route may answer with."""
        found = ["invalid_url", "invalid_request", "internal_error", "overloaded", *self.refuses.split()]
        if not self.offline:
            found += ["database_unavailable", "encryption_key_missing"]
        if self.scope is not None or self.more_with is not None:
            found += ["missing_key", "invalid_key", "missing_scope", "address_blocked", "rate_limited"]
        if self.body is not None:
            found += ["disconnected", "body_too_slow", "body_too_large", "unsupported_media_type"]
        if self.keyed is not Keyed.IGNORED:
            found += ["idempotency_in_progress", "idempotency_key_reused"]
        if self.keyed is Keyed.DEMANDED:
            found.append("idempotency_key_required")
        return tuple(dict.fromkeys(found))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, check the scope, and answer, whatever is raised."""
        request = Request(scope, receive, send)
        try:
            response = await self._answer(request)
        except Exception as error:  # noqa: BLE001 - the border: each error becomes a problem, the unforeseen a logged 500
            response = problems.answer(request, error)
        if scope["method"] == "HEAD":  # what GET would say, without the body; a stream would never end
            headers = dict(response.headers)
            response = Response(status_code=response.status_code)
            response.headers.update(headers)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if self.scope is None:
            inputs.check_query(request, self.query, paged=self.paged)
            return await self.handler(request)
        who = await self._caller(request, self.scope)
        allowance = await limits.spend(request, who.key_id)
        await inputs.check(
            request, body=self.body, query=self.query, paged=self.paged, keyed=self.keyed != Keyed.IGNORED
        )
        response = await self.handler(request)
        for name, value in limits.headers_of(allowance).items():
            response.headers.append(name, value)
        return response

    async def _caller(self, request: Request, scope: str) -> Caller:
        token = bearer(request)
        if self.client and token.startswith(client_token.PREFIX):
            reference = tokens.reference_of(of(request), token)
            named = reference if reference == request.path_params["reference"] else None
            return await authenticate_payer(request, named, scope)
        request.state.caller = who = await authenticate(request, token)
        permit(who, scope)
        return who
