"""The way to Bakong, as the environment sets it, and what can go wrong with connections: each has an error by name."""

import asyncio
import gzip
import ssl
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bakong_khqr import errors
from bakong_khqr.api.proxies import goes_direct
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.calling._connections import tls_context, way_to
from bakong_khqr.client import BakongClient
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import serve

MD5 = "0" * 32
BOTH = pytest.mark.parametrize("kind", [BakongClient, AsyncBakongClient])


def stream(*chunks: bytes) -> httpx.ByteStream:
    return httpx.ByteStream(b"".join(chunks))


class TestProxies:
    @pytest.mark.parametrize(
        ("host", "no_proxy", "direct"),
        [
            ("::1", "::1", True),
            ("::1", "[::1]", True),
            ("::1", "[::1]:443", True),
            ("::1", "[::1]:80", False),
            ("fe80::7", "fe80::/10", True),
            ("fe80::7%eth0", "fe80::/10", True),
            ("fe80::7", "fe80::7%eth0", True),
            ("2001:db8::1", "fe80::/10", False),
            ("10.1.2.3", "10.0.0.0/8", True),
            ("10.1.2.3", "10.1.2.3", True),
            ("11.1.2.3", "10.0.0.0/8", False),
            ("bank.example", "10.0.0.0/8", False),
            ("bank.example", "example", True),
            ("bank.example", "shop.example, bank.example", True),
            ("bank.example", "Bank.Example.", True),
            ("bank.example", ".bank.example", False),
            ("api.bank.example", ".bank.example", True),
            ("api.bank.example", "*.bank.example", True),
            ("notbank.example", "bank.example", False),
            ("bank.example", "bank.example:443", True),
            ("bank.example", "bank.example:8443", False),
            ("bank.example", "https://bank.example", True),
            ("bank.example", "*", True),
            ("bank.example", " , ,", False),
            ("bank.example", "", False),
        ],
    )
    def test_no_proxy_has_names_addresses_and_networks(self, host: str, no_proxy: str, direct: bool) -> None:
        assert goes_direct(host, 443, no_proxy) is direct

    @pytest.mark.parametrize("entry", ["planted@host", "planted host", "http://u:planted#pw@h:80", "[planted", "::g"])
    def test_an_entry_of_no_proxy_that_is_none_is_named_by_its_number(
        self, entry: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_PROXY", f"localhost,{entry}")
        with pytest.raises(errors.InvalidRequest, match=r"^NO_PROXY: its entry 2 must be a host") as caught:
            BakongClient("a-token")
        assert "planted" not in str(caught.value)

    def test_the_proxy_of_the_scheme_goes_before_the_one_for_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        assert way_to("https://bank.example", None) is None
        monkeypatch.setenv("ALL_PROXY", "http://all:1")
        monkeypatch.setenv("HTTPS_PROXY", "secure:2")
        monkeypatch.setenv("NO_PROXY", "[fe80::1]")
        assert way_to("https://bank.example", None) == "http://secure:2"
        assert way_to("http://bank.example", None) == "http://all:1"
        assert way_to("http://[fe80::1]", None) is None
        assert way_to("http://bank.example", "http://given:3") == "http://given:3"


class TestCertificates:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("SSL_CERT_FILE", None, r"^SSL_CERT_FILE: .*a\.file: No such file"),
            ("SSL_CERT_FILE", "nothing", r"^SSL_CERT_FILE: .*a\.file: has no certificate"),
            ("SSL_CERT_DIR", None, r"^SSL_CERT_DIR: .*a\.file: is not a folder"),
            ("SSLKEYLOGFILE", None, r"^SSLKEYLOGFILE: .*a\.file: No such file"),
        ],
    )
    @BOTH
    def test_a_file_that_is_missing_or_bad_is_named_with_its_variable(
        self, kind: Any, name: str, content: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "a.file" if name != "SSLKEYLOGFILE" else tmp_path / "missing" / "a.file"
        if content is not None:
            file.write_text(content, encoding="ascii")
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv(name, str(file))
        with pytest.raises(errors.InvalidRequest, match=message):
            kind("a-token")
        kind("a-token", base_url="http://127.0.0.1:9000")  # plain http needs none

    @BOTH
    def test_certificates_that_only_reading_shows_to_be_bad_are_an_error_of_the_call(
        self, kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "bad.pem"
        file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", encoding="ascii")
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        client = kind("a-token")
        with pytest.raises(
            errors.InvalidRequest, match=r"^SSL_CERT_FILE: the certificates of .*bad\.pem can't be read"
        ):
            _ = client.transaction_by_md5(MD5) if kind is BakongClient else asyncio.run(client.transaction_by_md5(MD5))

    def test_they_are_read_once_in_a_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert tls_context() is tls_context()
        assert tls_context().verify_mode is ssl.CERT_REQUIRED
        monkeypatch.setattr(httpx, "create_ssl_context", lambda: pytest.fail("they are read again"))
        for kind in (BakongClient, AsyncBakongClient):
            assert kind("a-token")._sender._http.here is not None

    def test_a_client_that_sends_nothing_reads_none(self) -> None:
        script = (
            "import httpx\n"
            "def fail(): raise SystemExit('certificates were read')\n"
            "httpx.create_ssl_context = fail\n"
            "from bakong_khqr.client import BakongClient\n"
            "BakongClient('a-token').close()\n"
            "BakongClient('a-token', base_url='http://127.0.0.1:9')._sender._http.here\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


class TestUnpacking:
    @pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
    def test_a_compressed_answer_is_unpacked(
        self, encoding: str, pack: Callable[[bytes], bytes], client_for: Any, scripted: Any
    ) -> None:
        packed = pack(scripted.PAID.content)
        answer = httpx.Response(200, headers={"Content-Encoding": encoding}, stream=stream(packed))
        assert client_for(Streaming(answer)).transaction_by_md5(MD5).amount == scripted.TRANSACTION["amount"]

    @pytest.mark.parametrize(
        ("encoding", "body", "why"),
        [
            ("gzip", gzip.compress(b"0" * 30_000_000, 9, mtime=0), "is longer than"),
            ("gzip, gzip", gzip.compress(gzip.compress(b"0" * 30_000_000)), "in a way that wasn't asked for"),
            ("br", b"garbage", "in a way that wasn't asked for"),
            ("gzip", b"garbage", "can't be decompressed"),
            ("gzip", gzip.compress(b"{}")[:-4], "can't be decompressed"),
        ],
        ids=["a bomb", "a bomb in a bomb", "brotli", "no gzip", "cut off"],
    )
    def test_no_answer_unfolds_into_more_than_its_bound(
        self, encoding: str, body: bytes, why: str, client_for: Any
    ) -> None:
        client = client_for(Streaming(httpx.Response(200, headers={"Content-Encoding": encoding}, stream=stream(body))))
        tracemalloc.start()
        try:
            with pytest.raises(errors.UnexpectedAnswer, match=why):
                client.transaction_by_md5(MD5)
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()


class Streaming(httpx.MockTransport):
    """Answers as a network does: nothing is read before it is asked for."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(lambda _: answer)


class TestConnectionsThatCannotBeUsed:
    def test_a_closed_client_says_so(self) -> None:
        client = BakongClient("a-token")
        client.close()
        client.close()
        with pytest.raises(errors.InvalidRequest, match=r"^client: it is closed"):
            client.transaction_by_md5(MD5)
        with pytest.raises(errors.InvalidRequest, match=r"^client: it is closed"), client:
            pytest.fail("a client can't be opened again")

    @pytest.mark.anyio
    async def test_a_closed_asynchronous_client_says_so(self) -> None:
        client = AsyncBakongClient("a-token")
        await client.aclose()
        await client.aclose()
        with pytest.raises(errors.InvalidRequest, match=r"^client: it is closed"):
            await client.transaction_by_md5(MD5)
        with pytest.raises(errors.InvalidRequest, match=r"^client: it is closed"):
            async with client:
                pytest.fail("a client can't be opened again")

    def test_a_given_client_that_is_closed_is_named(self) -> None:
        blocking, asynchronous = httpx.Client(), httpx.AsyncClient()
        blocking.close()
        asyncio.run(asynchronous.aclose())
        with pytest.raises(errors.InvalidRequest, match=r"^http_client: it is closed"):
            BakongClient("a-token", http_client=blocking).transaction_by_md5(MD5)
        client = AsyncBakongClient("a-token", http_client=asynchronous)
        with pytest.raises(errors.InvalidRequest, match=r"^http_client: it is closed"):
            asyncio.run(client.transaction_by_md5(MD5))

    def test_a_client_that_is_closed_during_a_call_says_so(self) -> None:
        simulator = BakongSimulator()
        simulator.inject("slow", seconds=0.5)
        with serve(simulator) as url:
            client, caught = BakongClient("simulator", base_url=url), list[BaseException]()

            def look() -> None:
                try:
                    client.transaction_by_md5(MD5)
                except errors.BakongError as error:
                    caught.append(error)

            looking = threading.Thread(target=look)
            looking.start()
            while not simulator.requests:
                looking.join(0.001)
            client.close()
            looking.join(20)
        assert [type(error) for error in caught] in ([], [errors.InvalidRequest])

    @pytest.mark.anyio
    async def test_an_asynchronous_client_that_is_closed_during_a_call_says_so(self) -> None:
        simulator = BakongSimulator()
        simulator.inject("slow", seconds=0.5)
        with serve(simulator) as url:
            client = AsyncBakongClient("simulator", base_url=url)
            looking = asyncio.create_task(client.transaction_by_md5(MD5))
            while not simulator.requests:
                await asyncio.wait([looking], timeout=0.001)
            await client.aclose()
            with pytest.raises(errors.InvalidRequest, match=r"^client: it is closed"):
                await looking

    def test_a_second_event_loop_is_told_to_make_its_own_client(self) -> None:
        with serve(BakongSimulator()) as url, asyncio.Runner() as first:
            client = AsyncBakongClient("simulator", base_url=url)
            assert first.run(client.transaction_by_md5(MD5)) is None
            with pytest.raises(errors.InvalidRequest, match=r"another event loop; make a client in each `asyncio.run`"):
                asyncio.run(client.transaction_by_md5(MD5))
            with pytest.raises(errors.InvalidRequest, match=r"another event loop"):
                asyncio.run(client.renew_token("simulator@example.test"))
            assert first.run(client.transaction_by_md5(MD5)) is None
            first.run(client.aclose())

    @pytest.mark.parametrize(
        ("status", "kind"), [(403, errors.Blocked), (404, errors.InvalidRequest), (503, errors.ServerUnavailable)]
    )
    def test_an_event_hook_that_raises_for_a_status_hides_no_error(self, status: int, kind: Any) -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(status, html="<html></html>"))
        hooks = {"response": [lambda answer: answer.raise_for_status()]}
        with httpx.Client(transport=transport, event_hooks=hooks) as http:
            client = BakongClient("a-token", http_client=http, sleep=lambda _: None)
            with pytest.raises(kind):
                client.transaction_by_md5(MD5)

    @pytest.mark.anyio
    async def test_a_token_is_renewed_though_an_event_hook_raises(self) -> None:
        simulator = BakongSimulator()

        async def strict(answer: httpx.Response) -> None:
            answer.raise_for_status()

        async with httpx.AsyncClient(transport=simulator.transport(), event_hooks={"response": [strict]}) as http:
            client = AsyncBakongClient("refused", email=simulator.email, http_client=http)
            assert await client.transaction_by_md5(MD5) is None

    @pytest.mark.parametrize("error", [RuntimeError("a hook's"), httpx.TooManyRedirects("too many")])
    def test_what_httpx_raises_is_an_error_of_ours(self, error: Exception, client_for: Any, scripted: Any) -> None:
        with pytest.raises(errors.BakongError):
            client_for(scripted(error)).transaction_by_md5(MD5)
