"""A proxy, given or of the environment, that can't be used is refused, and its password shown nowhere."""

import sys
import traceback
from typing import Any

import httpx
import pytest

from bakong_khqr import errors
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.client import BakongClient


@pytest.mark.parametrize(
    "proxy", ["", "nonsense", "user:planted@host:80", "ftp://host", "http://user:planted@host/path", "http://a b"]
)
@pytest.mark.parametrize("kind", [BakongClient, AsyncBakongClient])
def test_a_proxy_that_is_none_is_refused_unseen(kind: Any, proxy: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"^proxy: must be like") as caught:
        kind("a-token", proxy=proxy)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "proxy"),
    [
        (None, "http://u:planted#pw@host:80"),
        (None, "http://u:planted?pw@host:80"),
        (None, "http://u:planted@[::1"),
        ("HTTP_PROXY", "http://u:planted#pw@host:80"),
        ("HTTPS_PROXY", "ftp://u:planted@host:80"),
        ("ALL_PROXY", "http://u:planted#pw@host:80"),
        ("NO_PROXY", "http://u:planted#pw@host:80"),
    ],
)
@pytest.mark.parametrize("kind", [BakongClient, AsyncBakongClient])
def test_a_proxy_that_httpx_cannot_use_is_refused_unseen(
    kind: Any, variable: str | None, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv(variable, proxy)
    with pytest.raises(errors.InvalidRequest, match=rf"^{variable or 'proxy'}: ") as caught:
        kind("a-token", proxy=proxy if variable is None else None)
    assert "planted" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("kind", [BakongClient, AsyncBakongClient])
def test_a_socks_proxy_without_its_package_says_what_to_install(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://u:planted@host:1080")
    with pytest.raises(errors.InvalidRequest, match=r"^ALL_PROXY: SOCKS needs `pip install httpx\[socks\]`") as caught:
        kind("a-token")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(("kind", "http"), [(BakongClient, httpx.Client), (AsyncBakongClient, httpx.AsyncClient)])
def test_a_proxy_is_for_the_connections_made_here(kind: Any, http: Any) -> None:
    assert kind("a-token", proxy="http://127.0.0.1:3128")._sender._http is not None
    with pytest.raises(errors.InvalidRequest, match=r"^proxy: it is for connections that the client makes"):
        kind("a-token", proxy="http://127.0.0.1:3128", http_client=http())
