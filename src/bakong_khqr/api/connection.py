"""What both clients do alike on the way to the host: settings, headers, an answer's cap, and the errors of the way."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from bakong_khqr import __version__
from bakong_khqr.api.token import Token
from bakong_khqr.errors import InvalidRequest, ServerUnavailable, Unauthorized, UnexpectedAnswer

PRODUCTION = "https://api-bakong.nbc.gov.kh"
SIT = "https://sit-api-bakong.nbc.gov.kh"
"""Bakong's test environment. Its tokens and production's are not interchangeable."""

MAX_ANSWER_BYTES = 1024 * 1024
"""A full list answer is some 30 KiB, so a longer one is no answer of Bakong's."""

USER_AGENT = f"bakong-khqr-sdk/{__version__} (Python {platform.python_version()})"
"""Bakong's firewall was seen to refuse requests without one."""


def checked_base_url(base_url: str) -> str:
    """The base URL without a trailing slash or `/v1`, which every path begins with.

    It must be `https://` or `http://` with a host, and without credentials, query or fragment: URLs get logged.
    """
    if not isinstance(base_url, str):
        raise TypeError(f"base_url: must be text, not {type(base_url).__name__}")
    try:
        parts = urlsplit(base_url.strip())
        well_formed = parts.scheme in {"https", "http"} and bool(parts.hostname) and (parts.port or 1) > 0
        (parts.hostname or "").encode("idna")  # a label that is empty or too long would only fail at the look-up
    except ValueError:
        parts, well_formed = urlsplit(""), False
    if not well_formed or parts.username or parts.password or parts.query or parts.fragment or " " in parts.netloc:
        # Not shown: a token pasted into the wrong variable is a mistake that was seen.
        raise InvalidRequest(
            f"base_url: must be like {PRODUCTION}, with http or https, a host, and no credentials, query or fragment; "
            "the value isn't shown, in case it is a token"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1').rstrip('/')}"


def checked_proxy(proxy: str | None) -> str | None:
    """A proxy's URL, or None. It may hold a password, so it isn't shown."""
    if proxy is not None and not re.match(r"(https?|socks5h?)://[^\s/]+/?\Z", proxy):
        raise InvalidRequest("proxy: must be like http://host:port, or with https, socks5 or socks5h; it isn't shown")
    return proxy


def unusable_proxy(error: Exception) -> InvalidRequest:
    """The error of a proxy that no connection can be made through, given or of the environment.

    Raise it `from None`: what httpx says shows a piece of the URL, which is the password where that has a `#` in it.
    """
    why = "SOCKS needs `pip install httpx[socks]`" if isinstance(error, ImportError) else "it is no URL of a proxy"
    return InvalidRequest(
        f"proxy: {why}; it may come from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY or NO_PROXY of the environment, and isn't "
        "shown, as it may hold a password"
    )


def checked_timeout(timeout_seconds: float) -> float:
    """A timeout of more than 0 seconds. There is no "for ever": a call that never ends is no answer."""
    if isinstance(timeout_seconds, bool) or not isinstance(timeout_seconds, int | float):
        raise TypeError(f"timeout_seconds: must be a number of seconds, not {type(timeout_seconds).__name__}")
    if not 0 < timeout_seconds < float("inf"):
        raise InvalidRequest(f"timeout_seconds: must be more than 0 and finite, not {timeout_seconds}")
    return timeout_seconds


def headers(token: Token | None) -> dict[str, str]:
    """A request's headers. Compression isn't asked for, so that a small answer can't unfold into a huge one."""
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
    """A client's options by `BAKONG_TOKEN`, `BAKONG_EMAIL` and `BAKONG_BASE_URL`. An empty variable counts as unset."""
    return {
        "token": environment.get("BAKONG_TOKEN") or None,
        "email": environment.get("BAKONG_EMAIL") or None,
        "base_url": environment.get("BAKONG_BASE_URL") or PRODUCTION,
    }


def token_missing(purpose: str) -> Unauthorized:
    """The error of a call that needs a token where there is none."""
    return Unauthorized(f"{purpose} needs a token: give one to the client, or set BAKONG_TOKEN")


def unreachable(base_url: str, error: Exception) -> ServerUnavailable:
    """The error of a call that got no answer: no address, no connection, no TLS, cut off, or timed out."""
    return ServerUnavailable(f"no answer from {base_url}: {type(error).__name__}")


def too_slow(base_url: str, timeout_seconds: float) -> ServerUnavailable:
    """The error of an answer that didn't end in time."""
    return ServerUnavailable(f"the answer from {base_url} didn't end within {timeout_seconds:g} s")


def unreadable_answer(why: str) -> UnexpectedAnswer:
    """The error of an answer that isn't read to its end."""
    return UnexpectedAnswer(f"the answer {why}; the payment's state is unknown")


TOO_LONG = f"is longer than {MAX_ANSWER_BYTES} bytes"
