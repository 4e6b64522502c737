"""Examines the way to Bakong step by step, and stops at the first step that explains why the next can't work."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from bakong_khqr._kinds import aware_clock, checked_callable
from bakong_khqr.api import Call, Response, Token, endpoints
from bakong_khqr.api.arguments import checked_md5
from bakong_khqr.api.connection import (
    MAX_ANSWER_BYTES,
    PRODUCTION,
    SIT,
    checked_base_url,
    checked_timeout,
    headers,
    unpacked,
    unreachable,
)
from bakong_khqr.calling._connections import connect, way_to
from bakong_khqr.doctor.findings import Finding
from bakong_khqr.errors import (
    BakongError,
    Blocked,
    InvalidRequest,
    QuotaExceeded,
    ServerUnavailable,
    Unauthorized,
    UnexpectedAnswer,
)

NO_PAYMENT = "0" * 32
"""An MD5 that matches no code, for testing access."""
ENDS_SOON_DAYS = 14
CLOCK_TOLERANCE_SECONDS = 60
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
"""A user agent that firewalls accept."""

T = TypeVar("T")
Resolve = Callable[[str, int], list[Any]]


def _resolve(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def examine(
    token: Token | None,
    *,
    base_url: str = PRODUCTION,
    md5: str | None = None,
    timeout_seconds: float = 30,
    http_client: httpx.Client | None = None,
    resolve: Resolve = _resolve,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Finding]:
    """Yield each finding as soon as it is known, from the token to one MD5.

    The examination sends one call without a token (two if the first is refused), and up to three calls with it, which
    cost quota. `md5` is a payment to look for, too. `resolve(host, port)` returns or raises as `socket.getaddrinfo`
    does. The caller closes an `http_client`, and its proxies aren't known here. Without it, the proxy of the
    environment is used. `timeout_seconds` is for each step of a call.
    """
    checked_callable("resolve", resolve)
    if not isinstance(http_client, httpx.Client | None):
        raise TypeError(f"http_client: must be an httpx.Client, not {type(http_client).__name__}")
    asking = _Asking(checked_base_url(base_url), aware_clock("now", now))
    looked_for = NO_PAYMENT if md5 is None else checked_md5("md5", md5)
    yield from _token_findings(token, asking.now())
    yield from _address_findings(asking)
    try:
        proxy = way_to(asking.base_url, None) if http_client is None else None
        http = connect(asking.base_url, proxy, checked_timeout(timeout_seconds)) if http_client is None else http_client
    except InvalidRequest as error:
        yield Finding(code="environment_unfit", facts={"reason": error})
        return
    asking.uses(http, proxy)
    with http if http_client is None else nullcontext():
        if proxy is None:
            yield (name := _name_finding(asking.host, asking.port, resolve))
            if name.code == "name_not_found":
                return
        else:  # the proxy asks DNS, so this machine needn't
            yield Finding(code="by_proxy", facts={"host": asking.host, "proxy": asking.proxy})
        reachable = yield from asking.without_token()
        if reachable and token is not None:
            accepted = yield from asking.with_token(token, looked_for, is_a_payment=md5 is not None)
            if accepted:
                yield asking.the_list(token, looked_for)


def _token_findings(token: Token | None, now: datetime) -> Iterator[Finding]:
    if token is None:
        yield Finding(code="token_missing")
        return
    if token.reveal().startswith("rbk"):
        yield Finding(code="token_of_a_relay")
        return
    days = token.days_left(now)
    if days is None or token.expires_at is None:
        yield Finding(code="token_without_dates")
        return
    code = "token_expired" if days < 0 else "token_ends_soon" if days < ENDS_SOON_DAYS else "token_valid"
    yield Finding(code=code, facts={"days": days, "expires_at": token.expires_at.isoformat(timespec="minutes")})


def _address_findings(asking: _Asking) -> Iterator[Finding]:
    code = {PRODUCTION: "address_of_production", SIT: "address_of_sit"}.get(asking.base_url, "address_of_another")
    yield Finding(code=code, facts={"host": asking.host})
    if asking.base_url.startswith("http://") and asking.host not in {"127.0.0.1", "::1", "localhost"}:
        yield Finding(code="plain_http", facts={"host": asking.host})


def _name_finding(host: str, port: int, resolve: Resolve) -> Finding:
    try:
        found = resolve(host, port)
    except OSError:
        return Finding(code="name_not_found", facts={"host": host})
    addresses = ", ".join(sorted({str(each[4][0]) for each in found}))
    return Finding(code="name_found", facts={"host": host, "addresses": addresses})


class _Asking:
    """Asks a host, and finds what its answers say about the way to Bakong."""

    def __init__(self, base_url: str, now: Callable[[], datetime]) -> None:
        self.base_url = base_url
        parts = urlsplit(base_url)
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.now = now

    def uses(self, http: httpx.Client, proxy: str | None) -> None:
        """Use these connections, which go through this proxy."""
        self._http = http
        self.proxy = None if proxy is None else urlsplit(proxy).netloc.rpartition("@")[2]  # without its password

    def without_token(self) -> Generator[Finding, None, bool]:
        """Ask without a token, which Bakong answers with HTTP 401. Return whether that answer came."""
        call = endpoints.transaction_by_md5(NO_PAYMENT)
        try:
            answer = self._send(call, None)
            as_browser = self._send(call, None, user_agent=BROWSER) if answer.status == 403 else answer
        except httpx.RequestError as error:
            yield self._no_way(error)
            return False
        except UnexpectedAnswer as error:
            yield Finding(code="answer_unclear", facts={"reason": error})
            return False
        if answer.status == 407:
            yield Finding(code="proxy_wants_password", facts={"host": self.host})
            return False
        yield from self._clock_finding(answer)
        if answer.status == 403:
            yield _blocked(answer) if as_browser.status == 403 else Finding(code="user_agent_refused")
            return False
        try:
            call.read(answer)
        except Unauthorized:
            yield Finding(code="door_open")
            return True
        except ServerUnavailable as error:
            yield Finding(code="bakong_in_trouble", facts={"reason": error})
            return False
        except BakongError:
            pass
        yield Finding(code="no_bakong", facts={"host": self.host, "status": answer.status})
        return False

    def with_token(self, token: Token, md5: str, *, is_a_payment: bool) -> Generator[Finding, None, bool]:
        """Look for a payment with the token. Return whether Bakong accepted the token."""
        try:
            found = self.ask(endpoints.transaction_by_md5(md5), token)
        except Unauthorized:
            if (other := self._other_environment(token)) is not None:
                yield Finding(code="wrong_environment", facts={"other": other})
            elif (days := token.days_left(self.now())) is None or days >= 0:
                yield Finding(code="token_refused")
            return False
        except QuotaExceeded:
            yield Finding(code="token_accepted")
            yield Finding(code="quota_spent")
            return False
        except ServerUnavailable as error:
            yield Finding(code="bakong_in_trouble", facts={"reason": error})
            return False
        except BakongError as error:
            yield Finding(code="answer_unclear", facts={"reason": error})
            return False
        yield Finding(code="token_accepted")
        if is_a_payment:
            yield Finding(code="payment_not_found" if found is None else "payment_found")
        return True

    def the_list(self, token: Token, md5: str) -> Finding:
        """Ask for one MD5 in a list."""
        try:
            self.ask(endpoints.transactions_by_md5([md5]), token)
        except Blocked:
            return Finding(code="list_closed")
        except BakongError as error:
            return Finding(code="answer_unclear", facts={"reason": error})
        return Finding(code="list_open")

    def _other_environment(self, token: Token) -> str | None:
        """Return the host of Bakong's other environment if it accepts the token. No other host gets the token."""
        other = {PRODUCTION: SIT, SIT: PRODUCTION}.get(self.base_url)
        if other is None:
            return None
        asking = _Asking(other, self.now)
        asking.uses(self._http, None)
        try:
            asking.ask(endpoints.transaction_by_md5(NO_PAYMENT), token)
        except QuotaExceeded:
            pass  # Bakong counts the token's calls, so it knows the token
        except BakongError:
            return None
        return urlsplit(other).hostname

    def _clock_finding(self, answer: Response) -> Iterator[Finding]:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        except (ValueError, OverflowError):
            return  # the answer has no time to compare
        if theirs.tzinfo is None:  # "-0000" is UTC too (RFC 5322, 3.3)
            theirs = theirs.replace(tzinfo=UTC)
        seconds = round(abs((answer.received_at - theirs).total_seconds()))
        yield Finding(
            code="clock_right" if seconds <= CLOCK_TOLERANCE_SECONDS else "clock_wrong", facts={"seconds": seconds}
        )

    def _no_way(self, error: httpx.RequestError) -> Finding:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                return Finding(code="tls_failed", facts={"host": self.host, "reason": cause.reason or "TLS error"})
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx.ProxyError) and str(error).startswith("407"):
            return Finding(code="proxy_wants_password", facts={"host": self.host})
        if isinstance(error, httpx.ProxyError) or (self.proxy and isinstance(error, httpx.ConnectError)):
            return Finding(code="proxy_failed", facts={"host": self.host, "reason": type(error).__name__})
        return Finding(code="no_connection", facts={"host": self.host, "reason": type(error).__name__})

    def ask(self, call: Call[T], token: Token) -> T:
        try:
            return call.read(self._send(call, token))
        except httpx.RequestError as error:
            raise unreachable(self.base_url, error) from error

    def _send(self, call: Call[Any], token: Token | None, *, user_agent: str | None = None) -> Response:
        """Send a call once, without retries, because the first answer is reported."""
        sent = headers(token) | ({"User-Agent": user_agent} if user_agent else {})
        with self._http.stream(
            "POST",
            self.base_url + call.request.path,
            content=call.request.body,
            headers=sent,
            follow_redirects=False,
        ) as answer:
            body, encoding = bytearray(), answer.headers.get("Content-Encoding", "").strip().lower()
            if answer.is_stream_consumed:  # the caller's http_client has read and unpacked it already
                body, encoding = bytearray(answer.content), ""
            else:
                for chunk in answer.iter_raw():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        break
        content = unpacked(bytes(body[:MAX_ANSWER_BYTES]), encoding)
        return Response(status=answer.status_code, headers=dict(answer.headers), body=content, received_at=self.now())


def _blocked(answer: Response) -> Finding:
    """Return the kind of block: CloudFront's page names the country, and any other page is from a firewall."""
    if b"your country" in answer.body.lower():
        return Finding(code="country_blocked")
    return Finding(code="firewall_blocked", facts={"server": answer.headers.get("server", "an unnamed server")[:40]})
