"""How the asynchronous client sends a call: `sending.py`, awaited. Keep them alike."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import httpx

from bakong_khqr.api import Call, Response, Token
from bakong_khqr.api.connection import (
    MAX_ANSWER_BYTES,
    TOO_LONG,
    checked_base_url,
    checked_proxy,
    checked_timeout,
    headers,
    token_missing,
    too_slow,
    unreachable,
    unreadable_answer,
    unusable_proxy,
)
from bakong_khqr.api.renewal import TokenInUse
from bakong_khqr.api.token import checked_token
from bakong_khqr.budget import AsyncRequestBudget, RequestBudget
from bakong_khqr.errors import BakongError, InvalidRequest, Unauthorized
from bakong_khqr.retry import RetryPolicy

T = TypeVar("T")

log = logging.getLogger("bakong_khqr")


class AsyncSender:
    """Sends calls to one host with one token. The parameters are the client's; `renewal` makes the call that renews."""

    def __init__(
        self,
        *,
        token: Token | str | None,
        renewal: Callable[[], Call[Token]] | None,
        base_url: str,
        timeout_seconds: float,
        retry: RetryPolicy,
        http_client: httpx.AsyncClient | None,
        proxy: str | None,
        budget: RequestBudget | AsyncRequestBudget | None,
        on_token: Callable[[Token], Awaitable[None] | None] | None,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        if http_client is not None and proxy is not None:
            raise InvalidRequest("proxy: set it on the http_client you give; it is for the connections made here")
        if not isinstance(http_client, httpx.AsyncClient | None):
            raise TypeError(f"http_client: must be an httpx.AsyncClient, not {type(http_client).__name__}")
        if not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry: must be a RetryPolicy, not {type(retry).__name__}")
        self.in_use = TokenInUse(checked_token(token))
        self._renewing = asyncio.Lock()
        self._renewal = renewal
        self._base_url = checked_base_url(base_url)
        try:
            _ = httpx.URL(self._base_url).host
        except (httpx.InvalidURL, UnicodeError):
            # What httpx says shows the host.
            raise InvalidRequest("base_url: its host can't be a name on the network; it isn't shown") from None
        self._timeout_seconds = checked_timeout(timeout_seconds)
        self._retry = retry
        self._owns_http = http_client is None
        proxy = checked_proxy(proxy)
        try:
            self._http = httpx.AsyncClient(proxy=proxy) if http_client is None else http_client
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            raise unusable_proxy(error) from None
        self._budget = budget
        self._on_token = on_token
        self._untold: deque[Token] = deque()
        self._telling = False
        self._clock = clock
        self._sleep = sleep

    async def close(self) -> None:
        """Close the connections that were made here."""
        if self._owns_http:
            await self._http.aclose()

    async def issue(self, call: Call[Token]) -> Token:
        """Send a call that issues a token, and use that token from then on."""
        async with self._renewing:
            token = await self.send(call)
            self._take_over(token)
        await self._tell()
        return token

    async def send(self, call: Call[T]) -> T:
        """Send a call, again where the retry policy says so or the token was renewed, and read its answer."""
        attempt, renewed = 1, False
        while True:
            token = None if call.request.bearer == "never" else self.in_use.token
            try:
                if token is None and call.request.bearer == "required":
                    raise token_missing(call.purpose)
                return call.read(await self._exchange(call, token))
            except Unauthorized as error:
                if self._renewal is None or renewed or call.request.bearer == "never":
                    raise
                await self._renew(self._renewal, token, error)
                renewed = True
            except BakongError as error:
                delay = self._retry.delay_seconds(attempt, error, self._clock()) if call.repeatable else None
                if delay is None:
                    raise
                log.info("%s: %s; trying again in %.1f s", call.purpose, error, delay)
                attempt += 1
                await self._sleep(delay)

    async def _exchange(self, call: Call[Any], token: Token | None) -> Response:
        """Send a call once, under the budget, and read the answer to its end or its cap."""
        if self._budget is not None:
            turn_in_seconds = await _spent(self._budget, call.cost if token else 0, call.purpose)
            while turn_in_seconds:  # asked again after the sleep, which may have taken longer than it should
                await self._sleep(turn_in_seconds)
                turn_in_seconds = await _spent(self._budget, 0, call.purpose)
        if token is not None and (warning := self.in_use.warning(self._clock())) is not None:
            log.warning("%s", warning)
        began = time.monotonic()
        request = self._http.build_request(
            "POST",
            self._base_url + call.request.path,
            content=call.request.body,
            headers=headers(token),
            timeout=self._timeout_seconds,
        )
        try:
            # The timeout of httpx is for each read, and an answer that drips would never meet it.
            async with asyncio.timeout(2 * self._timeout_seconds):
                # A redirect isn't followed: the token is for this host alone.
                answer = await self._http.send(request, stream=True, follow_redirects=False)
                try:
                    body = await self._body_of(answer)
                finally:
                    await answer.aclose()
        except TimeoutError as error:
            raise too_slow(self._base_url, 2 * self._timeout_seconds) from error
        except httpx.DecodingError as error:
            raise unreadable_answer("can't be decompressed") from error
        except httpx.TransportError as error:
            raise unreachable(self._base_url, error) from error
        log.debug("%s: HTTP %d in %.0f ms", call.purpose, answer.status_code, (time.monotonic() - began) * 1000)
        return Response(status=answer.status_code, headers=dict(answer.headers), body=body, received_at=self._clock())

    async def _body_of(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise unreadable_answer(TOO_LONG)
        return bytes(body)

    async def _renew(self, renewal: Callable[[], Call[Token]], refused: Token | None, error: Unauthorized) -> None:
        """Renew the token that was refused, unless another task has done so since."""
        async with self._renewing:
            if not self.in_use.needs_renewal(refused, error, self._clock()):
                return
            try:
                token = await self.send(renewal())
            except BakongError as failure:
                self.in_use.not_renewed(failure)
                raise failure from error
            except BaseException:  # this task was cancelled, which is no word on the token
                self.in_use.abandoned()
                raise
            self._take_over(token)
        await self._tell()

    def _take_over(self, token: Token) -> None:
        self.in_use.renewed(token)
        log.info("a new Bakong token is in use; it expires at %s", token.expires_at)
        self._untold.append(token)

    async def _tell(self) -> None:
        """Tell `on_token` of the new tokens, one at a time and in their order.

        The lock of the renewal must be free by then: `on_token` may make calls of its own, which may renew again. What
        comes while it is at work is told by who is telling.
        """
        if not self._untold or self._telling:
            return
        self._telling = True
        try:
            token = self._untold.popleft()
            if self._on_token is not None and (stored := self._on_token(token)) is not None:
                await stored
        finally:
            self._telling = False
            await self._tell()


async def _spent(budget: RequestBudget | AsyncRequestBudget, calls: int, purpose: str) -> float | None:
    spent = budget.spend(calls, purpose=purpose)
    return await spent if inspect.isawaitable(spent) else spent
