"""How the blocking client sends a call: token, budget, retries, renewal, the cap on an answer. `async_sending.py` is
this, awaited: keep them alike.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
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
from bakong_khqr.budget import RequestBudget
from bakong_khqr.errors import BakongError, InvalidRequest, Unauthorized
from bakong_khqr.retry import RetryPolicy

T = TypeVar("T")

log = logging.getLogger("bakong_khqr")


class Sender:
    """Sends calls to one host with one token. The parameters are the client's; `renewal` makes the call that renews."""

    def __init__(
        self,
        *,
        token: Token | str | None,
        renewal: Callable[[], Call[Token]] | None,
        base_url: str,
        timeout_seconds: float,
        retry: RetryPolicy,
        http_client: httpx.Client | None,
        proxy: str | None,
        budget: RequestBudget | None,
        on_token: Callable[[Token], None] | None,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        if http_client is not None and proxy is not None:
            raise InvalidRequest("proxy: set it on the http_client you give; it is for the connections made here")
        if not isinstance(http_client, httpx.Client | None):
            raise TypeError(f"http_client: must be an httpx.Client, not {type(http_client).__name__}")
        if not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry: must be a RetryPolicy, not {type(retry).__name__}")
        self.in_use = TokenInUse(checked_token(token))
        self._renewing = threading.Lock()
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
            self._http = httpx.Client(proxy=proxy) if http_client is None else http_client
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            raise unusable_proxy(error) from None
        self._budget = budget
        self._on_token = on_token
        self._untold: deque[Token] = deque()
        self._telling = threading.Lock()
        self._clock = clock
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections that were made here."""
        if self._owns_http:
            self._http.close()

    def issue(self, call: Call[Token]) -> Token:
        """Send a call that issues a token, and use that token from then on."""
        with self._renewing:
            token = self.send(call)
            self._take_over(token)
        self._tell()
        return token

    def send(self, call: Call[T]) -> T:
        """Send a call, again where the retry policy says so or the token was renewed, and read its answer."""
        attempt, renewed = 1, False
        while True:
            token = None if call.request.bearer == "never" else self.in_use.token
            try:
                if token is None and call.request.bearer == "required":
                    raise token_missing(call.purpose)
                return call.read(self._exchange(call, token))
            except Unauthorized as error:
                if self._renewal is None or renewed or call.request.bearer == "never":
                    raise
                self._renew(self._renewal, token, error)
                renewed = True
            except BakongError as error:
                delay = self._retry.delay_seconds(attempt, error, self._clock()) if call.repeatable else None
                if delay is None:
                    raise
                log.info("%s: %s; trying again in %.1f s", call.purpose, error, delay)
                attempt += 1
                self._sleep(delay)

    def _exchange(self, call: Call[Any], token: Token | None) -> Response:
        """Send a call once, under the budget, and read the answer to its end or its cap."""
        if self._budget is not None:
            turn_in_seconds = self._budget.spend(call.cost if token else 0, purpose=call.purpose)
            while turn_in_seconds:  # asked again after the sleep, which may have taken longer than it should
                self._sleep(turn_in_seconds)
                turn_in_seconds = self._budget.spend(0, purpose=call.purpose)
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
            # A redirect isn't followed: the token is for this host alone.
            answer = self._http.send(request, stream=True, follow_redirects=False)
            try:
                body = self._body_of(answer, began)
            finally:
                answer.close()
        except httpx.DecodingError as error:
            raise unreadable_answer("can't be decompressed") from error
        except httpx.TransportError as error:
            raise unreachable(self._base_url, error) from error
        log.debug("%s: HTTP %d in %.0f ms", call.purpose, answer.status_code, (time.monotonic() - began) * 1000)
        return Response(status=answer.status_code, headers=dict(answer.headers), body=body, received_at=self._clock())

    def _body_of(self, answer: httpx.Response, began: float) -> bytes:
        body = bytearray()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise unreadable_answer(TOO_LONG)
            # The timeout of httpx is for each read, and an answer that drips would never meet it.
            if time.monotonic() - began > 2 * self._timeout_seconds:
                raise too_slow(self._base_url, 2 * self._timeout_seconds)
        return bytes(body)

    def _renew(self, renewal: Callable[[], Call[Token]], refused: Token | None, error: Unauthorized) -> None:
        """Renew the token that was refused, unless another thread has done so since."""
        with self._renewing:
            if not self.in_use.needs_renewal(refused, error, self._clock()):
                return
            try:
                token = self.send(renewal())
            except BakongError as failure:
                self.in_use.not_renewed(failure)
                raise failure from error
            except BaseException:  # this thread was interrupted, which is no word on the token
                self.in_use.abandoned()
                raise
            self._take_over(token)
        self._tell()

    def _take_over(self, token: Token) -> None:
        self.in_use.renewed(token)
        log.info("a new Bakong token is in use; it expires at %s", token.expires_at)
        self._untold.append(token)

    def _tell(self) -> None:
        """Tell `on_token` of the new tokens, one at a time and in their order.

        The lock of the renewal must be free by then: `on_token` may make calls of its own, which may renew again. What
        comes while it is at work is told by who is telling.
        """
        if not self._untold or not self._telling.acquire(blocking=False):
            return
        try:
            if self._untold:  # another thread may have told it just now
                token = self._untold.popleft()
                if self._on_token is not None:
                    self._on_token(token)
        finally:
            self._telling.release()
            self._tell()
