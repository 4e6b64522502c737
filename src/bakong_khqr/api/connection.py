"""What both clients share: the checks of settings, the headers, the longest answer, and the errors of a connection."""

from __future__ import annotations

import platform
import re
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from bakong_khqr import __version__
from bakong_khqr.api.token import Token
from bakong_khqr.errors import InvalidRequest, ServerUnavailable, Unauthorized, UnexpectedAnswer

PRODUCTION = "https://api-bakong.nbc.gov.kh"
SIT = "https://sit-api-bakong.nbc.gov.kh"
"""Bakong's test environment. It has its own tokens, and refuses those of production."""

MAX_ANSWER_BYTES = 1024 * 1024
"""The longest answer that is read. Bakong's longest, for a full list, has 30 KiB, so a longer one isn't Bakong's."""

TOO_LONG = f"is longer than {MAX_ANSWER_BYTES} bytes"
"""The reason for `unreadable_answer` if an answer is longer than that."""

USER_AGENT = f"bakong-khqr-sdk/{__version__} (Python {platform.python_version()})"
"""The `User-Agent`. Bakong's firewall refuses requests without one."""


def checked_base_url(base_url: str) -> str:
    """Return the base URL without a trailing slash or `/v1`, which every path begins with.

    It must be `https://` or `http://` with a host, and without credentials, query or fragment, because URLs are logged.
    Raises `InvalidRequest` for another text, and `TypeError` for another type.
    """
    if not isinstance(base_url, str):
        raise TypeError(f"base_url: must be text, not {type(base_url).__name__}")
    try:
        parts = urlsplit(base_url.strip())
        well_formed = parts.scheme in {"https", "http"} and bool(parts.hostname)
        _ = parts.port  # raises ValueError if it isn't a number from 0 to 65535
        (parts.hostname or "").encode("idna")  # raises a ValueError too, for a label that is empty or too long
    except ValueError:
        parts, well_formed = urlsplit(""), False
    if not well_formed or parts.username or parts.password or parts.query or parts.fragment or " " in parts.netloc:
        # The value isn't shown, because people paste tokens into the wrong variable.
        raise InvalidRequest(
            f"base_url: must be like {PRODUCTION}, with http or https, a host, and no credentials, query or fragment; "
            "the value isn't shown, because it may be a token"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1').rstrip('/')}"


def checked_proxy(proxy: str | None) -> str | None:
    """Return the URL of a proxy as it was given; `None` means no proxy.

    Raises `InvalidRequest` if it isn't such a URL. No message shows the URL, because it may have a password.
    """
    if proxy is not None and not re.match(r"(https?|socks5h?)://[^\s/]+/?\Z", proxy):
        raise InvalidRequest(
            "proxy: must be like http://host:port, or with https, socks5 or socks5h; the value isn't shown"
        )
    return proxy


def used_across_a_fork(kind: str) -> InvalidRequest:
    """Return the error of using the caller's `http_client` in a process that was forked after it was made.

    `kind` is the class to make again in each process: `"httpx.Client"` or `"httpx.AsyncClient"`.
    """
    return InvalidRequest(
        f"http_client: it was made before this process was forked, and two processes on its connections would read "
        f"each other's answers; make the client, with its own {kind}, in each process after the fork, or leave "
        "http_client out"
    )


def unusable_proxy(name: str, why: str) -> InvalidRequest:
    """Return the error of an unusable proxy. `name` is its argument or environment variable, and `why` the reason.

    Raise it `from None`: the error of httpx shows a part of the URL, which may be a part of the password.
    """
    return InvalidRequest(f"{name}: {why}; the value isn't shown, because it may have a password")


def closed(what: str) -> InvalidRequest:
    """Return the error of a call on something that is closed, or was closed during the call.

    `what` is `"client"` for this package's client, and `"http_client"` for the client of httpx that the caller gave.
    """
    return InvalidRequest(f"{what}: it is closed, so this call has no answer; make another one")


def unusable_connections(error: Exception) -> InvalidRequest:
    """Return the error of connections, or of the caller's `http_client`, that httpx refuses to use."""
    return InvalidRequest(f"client: its connections can't be used ({type(error).__name__}), so this call has no answer")


def of_another_loop() -> InvalidRequest:
    """Return the error of an asynchronous client outside the event loop where it was first used."""
    return InvalidRequest("client: it belongs to another event loop; make a client in each `asyncio.run`")


def checked_timeout(timeout_seconds: float) -> float:
    """Return a timeout of more than 0 seconds, as it was given. Every call has one, because a call must end.

    Raises `InvalidRequest` for 0, a negative or an infinite number, and `TypeError` for another type.
    """
    if isinstance(timeout_seconds, bool) or not isinstance(timeout_seconds, int | float):
        raise TypeError(f"timeout_seconds: must be a number of seconds, not {type(timeout_seconds).__name__}")
    if not 0 < timeout_seconds < float("inf"):
        raise InvalidRequest(f"timeout_seconds: must be more than 0 and finite, not {timeout_seconds}")
    return timeout_seconds


def headers(token: Token | None) -> dict[str, str]:
    """Return the headers of a request. They ask for no compression, so that no small answer becomes huge."""
    sent = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
    }
    if token is not None:
        sent["Authorization"] = f"Bearer {token.reveal()}"
    return sent


def options_from_env(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return a client's options from `BAKONG_TOKEN`, `BAKONG_EMAIL` and `BAKONG_BASE_URL`.

    An empty variable counts as not set. Without a base URL it is that of production.
    """
    return {
        "token": environment.get("BAKONG_TOKEN") or None,
        "email": environment.get("BAKONG_EMAIL") or None,
        "base_url": environment.get("BAKONG_BASE_URL") or PRODUCTION,
    }


def token_missing(purpose: str) -> Unauthorized:
    """Return the error of a call that needs a token, if there is no token. `purpose` names the call."""
    return Unauthorized(f"{purpose} needs a token: give one to the client, or set BAKONG_TOKEN")


def unreachable(base_url: str, error: Exception) -> ServerUnavailable:
    """Return the error of a call without an answer: no address, no connection, no TLS, cut off, or timed out."""
    return ServerUnavailable(f"no answer from {base_url}: {type(error).__name__}")


def too_slow(base_url: str, timeout_seconds: float) -> ServerUnavailable:
    """Return the error of an answer that didn't end in time."""
    return ServerUnavailable(f"the answer from {base_url} didn't end within {timeout_seconds:g} s")


def unreadable_answer(why: str) -> UnexpectedAnswer:
    """Return the error of an answer that the client stops reading. `why` ends the sentence "the answer ..."."""
    return UnexpectedAnswer(f"the answer {why}; the payment's state is unknown")


def unpacked(body: bytes, encoding: str) -> bytes:
    """Return the body of an answer without its compression. `encoding` is its `Content-Encoding` in small letters.

    A server may compress an answer, although the request asked for no compression. Raises `UnexpectedAnswer` if the
    compression is neither gzip nor deflate, if the body is damaged, or if it unpacks to more than `MAX_ANSWER_BYTES`.
    """
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise unreadable_answer("is compressed in a way that wasn't asked for")
    unpacking = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # gzip or zlib; the first bytes say which
    try:
        content = unpacking.decompress(body, MAX_ANSWER_BYTES + 1)
    except zlib.error as error:
        raise unreadable_answer("can't be decompressed") from error
    if len(content) > MAX_ANSWER_BYTES:
        raise unreadable_answer(TOO_LONG)
    if not unpacking.eof:
        raise unreadable_answer("can't be decompressed")
    return content
