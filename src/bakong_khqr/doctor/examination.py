"""Ask step by step, and stop at the first step that explains why the next ones can't work."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from bakong_khqr.api import Call, Response, Token, endpoints
from bakong_khqr.api.arguments import checked_md5
from bakong_khqr.api.connection import (
    MAX_ANSWER_BYTES,
    PRODUCTION,
    SIT,
    checked_base_url,
    headers,
    unreachable,
    unreadable_answer,
)
from bakong_khqr.doctor.findings import Finding
from bakong_khqr.errors import BakongError, Blocked, QuotaExceeded, ServerUnavailable, Unauthorized, UnexpectedAnswer

NO_PAYMENT = "0" * 32
"""An MD5 that no code has, for asking without asking for anything."""
ENDS_SOON_DAYS = 14
CLOCK_TOLERANCE_SECONDS = 60
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
"""A user agent that a firewall lets through."""

T = TypeVar("T")
Resolve = Callable[[str, int], list[Any]]


def _resolve(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def examine(
    token: Token | None,
    *,
    base_url: str = PRODUCTION,
    md5: str | None = None,
    http_client: httpx.Client,
    resolve: Resolve = _resolve,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Finding]:
    """Yield what is found, from the token to one MD5, as it is found.

    Sends one call without a token (two where that is refused) and up to three with it, which its daily quota counts.
    `md5` is a payment to look for meanwhile. `resolve(host, port)` answers, or raises, as `socket.getaddrinfo` does.
    """
    asking = _Asking(checked_base_url(base_url), http_client, now)
    looked_for = NO_PAYMENT if md5 is None else checked_md5("md5", md5)
    yield from _token_findings(token, now())
    yield from _address_findings(asking)
    name = _name_finding(asking.host, asking.port, resolve)
    yield name
    if name.code == "name_not_found":
        return
    door = yield from asking.the_door()
    if door and token is not None:
        taken = yield from asking.with_token(token, looked_for, is_a_payment=md5 is not None)
        if taken:
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
    """Where to ask, and what the answers mean for a patient rather than for a payment."""

    def __init__(self, base_url: str, http: httpx.Client, now: Callable[[], datetime]) -> None:
        self.base_url = base_url
        parts = urlsplit(base_url)
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self._http = http
        self._now = now

    def the_door(self) -> Generator[Finding, None, bool]:
        """Ask without a token: an open door answers HTTP 401. Returns whether it is open."""
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
        """Look for a payment with the token. Returns whether the token was taken."""
        try:
            found = self.ask(endpoints.transaction_by_md5(md5), token)
        except Unauthorized:
            if (other := self._other_environment(token)) is not None:
                yield Finding(code="wrong_environment", facts={"other": other})
            elif (days := token.days_left(self._now())) is None or days >= 0:
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
        """Ask the list of MD5s for one."""
        try:
            self.ask(endpoints.transactions_by_md5([md5]), token)
        except Blocked:
            return Finding(code="list_closed")
        except BakongError as error:
            return Finding(code="answer_unclear", facts={"reason": error})
        return Finding(code="list_open")

    def _other_environment(self, token: Token) -> str | None:
        """The host of Bakong's other environment, if that takes the token. Only Bakong's own hosts are given it."""
        other = {PRODUCTION: SIT, SIT: PRODUCTION}.get(self.base_url)
        if other is None:
            return None
        try:
            _Asking(other, self._http, self._now).ask(endpoints.transaction_by_md5(NO_PAYMENT), token)
        except QuotaExceeded:
            pass  # counted, so known
        except BakongError:
            return None
        return urlsplit(other).hostname

    def _clock_finding(self, answer: Response) -> Iterator[Finding]:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        except (ValueError, OverflowError):
            return  # without their time there is nothing to compare
        if theirs.tzinfo is None:  # "-0000" is UTC that doesn't know its place (RFC 5322, 3.3)
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
        return Finding(code="no_connection", facts={"host": self.host, "reason": type(error).__name__})

    def ask(self, call: Call[T], token: Token) -> T:
        try:
            return call.read(self._send(call, token))
        except httpx.RequestError as error:
            raise unreachable(self.base_url, error) from error

    def _send(self, call: Call[Any], token: Token | None, *, user_agent: str | None = None) -> Response:
        """Send a call once, without retries: a doctor reports the first answer."""
        sent = headers(token) | ({"User-Agent": user_agent} if user_agent else {})
        with self._http.stream(
            "POST", self.base_url + call.request.path, content=call.request.body, headers=sent, follow_redirects=False
        ) as answer:
            body = bytearray()
            try:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        break
            except httpx.DecodingError as error:  # it does answer, so this isn't a matter of the way
                raise unreadable_answer("can't be decompressed") from error
        return Response(
            status=answer.status_code, headers=dict(answer.headers), body=bytes(body), received_at=self._now()
        )


def _blocked(answer: Response) -> Finding:
    """CloudFront says when it is for the country; everything else is a firewall."""
    if b"your country" in answer.body.lower():
        return Finding(code="country_blocked")
    return Finding(code="firewall_blocked", facts={"server": answer.headers.get("server", "an unnamed server")[:40]})
