"""The connections that a client makes for itself, with their proxy and certificates."""

from __future__ import annotations

import os
import ssl
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from bakong_khqr._process import PerProcess
from bakong_khqr.api.connection import checked_proxy, unusable_proxy
from bakong_khqr.api.proxies import goes_direct
from bakong_khqr.errors import InvalidRequest

_TLS_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")

# Reading the root certificates takes a third of a second, so a process does it once for each setting of the variables.
_contexts = PerProcess[dict[tuple[str | None, ...], ssl.SSLContext]](lambda _: {})


def way_to(base_url: str, proxy: str | None) -> str | None:
    """Return the URL of the proxy for a host: the given one, or the environment's; None for no proxy.

    Raises `InvalidRequest` for an unusable setting, with the name of the argument or the variable. The URL of a proxy
    may have a password, so it isn't shown.
    """
    chosen = _proxy_of_the_environment(base_url) if proxy is None else _usable("proxy", checked_proxy(proxy))
    if base_url.startswith("https:"):
        _check_certificates()
    return chosen


def connect(base_url: str, proxy: str | None, timeout_seconds: float) -> httpx.Client:
    """Make connections to a host, through the proxy that `way_to` returned."""
    return httpx.Client(timeout=timeout_seconds, proxy=proxy, verify=_tls_for(base_url), trust_env=False)


def connect_async(base_url: str, proxy: str | None, timeout_seconds: float) -> httpx.AsyncClient:
    """Make asynchronous connections to a host, through the proxy that `way_to` returned."""
    return httpx.AsyncClient(timeout=timeout_seconds, proxy=proxy, verify=_tls_for(base_url), trust_env=False)


def tls_context() -> ssl.SSLContext:
    """Return the TLS settings of this process, with the certificates of the environment or of certifi."""
    contexts = _contexts.here
    variables = tuple(os.environ.get(name) for name in _TLS_VARIABLES)
    if variables not in contexts:
        contexts.setdefault(variables, _read_certificates())
    return contexts[variables]


def _tls_for(base_url: str) -> ssl.SSLContext:
    # Plain http needs no certificates. A context without any trusts nobody.
    return tls_context() if base_url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _check_certificates() -> None:
    """Check the files that the environment names, but only with quick checks."""
    if log := os.environ.get("SSLKEYLOGFILE"):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = log
        except OSError as error:
            raise InvalidRequest(f"SSLKEYLOGFILE: {log}: {error.strerror}") from error
    if file := os.environ.get("SSL_CERT_FILE"):
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise InvalidRequest(f"SSL_CERT_FILE: {file}: {error.strerror}") from error
        if b"CERTIFICATE-----" not in content:
            raise InvalidRequest(f"SSL_CERT_FILE: {file}: has no certificate")
    elif (folder := os.environ.get("SSL_CERT_DIR")) and not Path(folder).is_dir():
        raise InvalidRequest(f"SSL_CERT_DIR: {folder}: is not a folder")


def _read_certificates() -> ssl.SSLContext:
    _check_certificates()
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        file = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or "the package certifi"
        raise InvalidRequest(f"SSL_CERT_FILE: the certificates of {file} can't be read") from error


def _proxy_of_the_environment(base_url: str) -> str | None:
    settings = getproxies()
    usable = {
        kind: _usable(f"{kind.upper()}_PROXY", url if "://" in url else f"http://{url}")
        for kind in ("http", "https", "all")
        if (url := settings.get(kind))
    }
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if goes_direct((parts.hostname or "").rstrip("."), port, settings.get("no", "")):
        return None
    return usable.get(parts.scheme) or usable.get("all")


def _usable(name: str, url: str | None) -> str | None:
    if url is None:
        return None
    try:
        scheme = httpx.Proxy(url).url.scheme
    except (httpx.InvalidURL, ValueError):
        raise unusable_proxy(name, "must be the URL of a proxy") from None
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise unusable_proxy(name, "SOCKS needs `pip install httpx[socks]`")
    return url
