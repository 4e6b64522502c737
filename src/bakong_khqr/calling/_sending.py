"""How the blocking client sends a call: token, budget, retries, renewal, and the longest answer.

`_async_sending.py` is this, awaited: keep the two alike.
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

from bakong_khqr._kinds import aware_clock, checked_callable, checked_object, checked_result, checked_seconds
from bakong_khqr._process import PerProcess
from bakong_khqr.api import Call, Response, Token
from bakong_khqr.api.connection import (
    MAX_ANSWER_BYTES,
    TOO_LONG,
    checked_base_url,
    checked_timeout,
    closed,
    headers,
    token_missing,
    too_slow,
    unpacked,
    unreachable,
    unreadable_answer,
    unusable_connections,
    used_across_a_fork,
)
from bakong_khqr.api.renewal import TokenInUse
from bakong_khqr.api.token import checked_token
from bakong_khqr.calling._connections import connect, way_to
from bakong_khqr.calling.budget import RequestBudget
from bakong_khqr.errors import BakongError, InvalidRequest, Unauthorized
from bakong_khqr.retry import RetryPolicy

T = TypeVar("T")

log = logging.getLogger("bakong_khqr")


class _Own:
    """What each process has for itself: its token in use, and the locks of the renewal.

    After a fork, nobody in the child releases a lock that was held, or finishes a renewal that was under way.
    """

    def __init__(self, token: Token | None) -> None:
        self.in_use = TokenInUse(token)
        self.renewing = threading.Lock()
        self.untold: deque[Token] = deque()
        self.telling = threading.Lock()


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
            raise InvalidRequest(
                "proxy: it is for connections that the client makes itself; with http_client, set the proxy there"
            )
        if not isinstance(http_client, httpx.Client | None):
            raise TypeError(f"http_client: must be an httpx.Client, not {type(http_client).__name__}")
        if not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry: must be a RetryPolicy, not {type(retry).__name__}")
        self._budget = None if budget is None else checked_object("budget", budget, "plain", "spend")
        self._on_token = None if on_token is None else checked_callable("on_token", on_token)
        self._clock = aware_clock("clock", clock)
        self._sleep = checked_callable("sleep", sleep)
        checked = checked_token(token)
        self._own = PerProcess[_Own](lambda parents: _Own(checked if parents is None else parents.in_use.token))
        _ = self._own.here
        self._renewal = renewal
        self._base_url = checked_base_url(base_url)
        try:
            _ = httpx.URL(self._base_url).host
        except (httpx.InvalidURL, UnicodeError):
            # The error of httpx shows the host.
            raise InvalidRequest("base_url: its host can't be a host name; the value isn't shown") from None
        self._timeout_seconds = checked_timeout(timeout_seconds)
        self._retry = retry
        self._given_http = http_client
        self._proxy = way_to(self._base_url, proxy) if http_client is None else None
        self._http = PerProcess(self._connections)
        if http_client is not None:
            _ = self._http.here  # the given client belongs to this process
        self._closed = False

    @property
    def in_use(self) -> TokenInUse:
        """The token that this process has in use."""
        return self._own.here.in_use

    def close(self) -> None:
        """Close the connections that were made here. A forked process leaves its parent's connections open."""
        self._closed = True
        if self._given_http is None and (http := self._http.made) is not None:
            http.close()

    def check_open(self) -> None:
        """Raise `InvalidRequest` if this client, or the `http_client` that it was given, is closed."""
        if self._closed:
            raise closed("client")
        if self._given_http is not None and self._http.here.is_closed:  # `here` refuses a parent's client
            raise closed("http_client")

    def issue(self, call: Call[Token]) -> Token:
        """Send a call that issues a token, and use that token from then on."""
        self.check_open()
        with self._own.here.renewing:
            token = self.send(call)
            self._take_over(token)
        self._tell()
        return token

    def send(self, call: Call[T]) -> T:
        """Send a call and read its answer. Send it again if the retry policy says so, or after a renewal."""
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
                self._pause(delay)

    def _connections(self, parents: httpx.Client | None) -> httpx.Client:
        """Return connections for this process, which doesn't use those of its parent.

        Two processes on one connection would read each other's answers, and an answer doesn't name its question.
        """
        if self._given_http is not None:
            if parents is not None:
                raise used_across_a_fork("httpx.Client")
            return self._given_http
        return connect(self._base_url, self._proxy, self._timeout_seconds)

    def _exchange(self, call: Call[Any], token: Token | None) -> Response:
        """Send a call once, within the budget, and read the answer to its end or to the longest size."""
        self.check_open()
        if self._budget is not None:
            turn_in_seconds = _spent(self._budget, call.cost if token else 0, call.purpose)
            while turn_in_seconds:  # ask again after the sleep, because it may have taken too long
                self._pause(turn_in_seconds)
                turn_in_seconds = _spent(self._budget, 0, call.purpose)
        now = self._clock()
        if token is not None and (warning := self.in_use.warning(now)) is not None:
            log.warning("%s", warning)
        began = time.monotonic()
        http = self._http.here
        request = http.build_request(
            "POST",
            self._base_url + call.request.path,
            content=call.request.body,
            headers=headers(token),
            timeout=self._timeout_seconds,
        )
        try:
            # A redirect isn't followed, because the token is only for this host.
            answer = http.send(request, stream=True, follow_redirects=False)
            try:
                body = self._body_of(answer, began)
            finally:
                answer.close()
        except httpx.HTTPStatusError as error:  # an event hook of the caller's http_client raises it
            answer, body = error.response, _body_read_before(error.response)
        except (httpx.HTTPError, RuntimeError) as error:
            raise self._no_answer(error) from error
        log.debug("%s: HTTP %d in %.0f ms", call.purpose, answer.status_code, (time.monotonic() - began) * 1000)
        return Response(status=answer.status_code, headers=dict(answer.headers), body=body, received_at=self._clock())

    def _no_answer(self, error: Exception) -> BakongError:
        """Return the error of a call that httpx couldn't carry out."""
        if self._closed:
            return closed("client")
        if isinstance(error, httpx.DecodingError):  # if the caller's http_client reads answers itself
            return unreadable_answer("can't be decompressed")
        return unreachable(self._base_url, error) if isinstance(error, httpx.HTTPError) else unusable_connections(error)

    def _pause(self, seconds: float) -> None:
        checked_result("sleep", self._sleep(seconds))

    def _body_of(self, answer: httpx.Response, began: float) -> bytes:
        if answer.is_stream_consumed:  # the caller's http_client has read it already
            return _body_read_before(answer)
        body = bytearray()
        for chunk in answer.iter_raw():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise unreadable_answer(TOO_LONG)
            # The timeout of httpx is for each read, and an answer that comes byte by byte never reaches it.
            if time.monotonic() - began > 2 * self._timeout_seconds:
                raise too_slow(self._base_url, 2 * self._timeout_seconds)
        return unpacked(bytes(body), answer.headers.get("Content-Encoding", "").strip().lower())

    def _renew(self, renewal: Callable[[], Call[Token]], refused: Token | None, error: Unauthorized) -> None:
        """Renew the token that was refused, unless another thread has done so since."""
        with self._own.here.renewing:
            if not self.in_use.needs_renewal(refused, error, self._clock()):
                return
            try:
                token = self.send(renewal())
            except BakongError as failure:
                self.in_use.not_renewed(failure)
                raise failure from error
            except BaseException:  # this thread was interrupted, which says nothing about the token
                self.in_use.abandoned()
                raise
            self._take_over(token)
        self._tell()

    def _take_over(self, token: Token) -> None:
        self.in_use.renewed(token)
        log.info("a new Bakong token is in use; it expires at %s", token.expires_at)
        self._own.here.untold.append(token)

    def _tell(self) -> None:
        """Report the new tokens to `on_token`, one at a time and in their order.

        The lock of the renewal must be free here, because `on_token` may make calls, which may renew again. A token
        that is issued while `on_token` is running is reported by the thread that is running it.
        """
        own = self._own.here
        if not own.untold or not own.telling.acquire(blocking=False):
            return
        try:
            if own.untold:  # another thread may have reported it just now
                token = own.untold.popleft()
                if self._on_token is not None:
                    checked_result("on_token", self._on_token(token))
        finally:
            own.telling.release()
            self._tell()


def _spent(budget: RequestBudget, calls: int, purpose: str) -> float:
    return checked_seconds("budget.spend", checked_result("budget.spend", budget.spend(calls, purpose=purpose)))


def _body_read_before(answer: httpx.Response) -> bytes:
    """Return the body that is already in memory; an empty one if the answer was closed before anybody read it."""
    try:
        body = answer.content
    except httpx.ResponseNotRead:
        return b""
    if len(body) > MAX_ANSWER_BYTES:
        raise unreadable_answer(TOO_LONG)
    return body
