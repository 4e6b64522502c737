"""The doctor tells token, clock, DNS, TLS, user agent, country, firewall, quota, closed list and environment apart."""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bakong_khqr.api import Token
from bakong_khqr.api.connection import PRODUCTION, SIT
from bakong_khqr.doctor import Verdict, examine
from bakong_khqr.doctor.findings import WORDINGS, Finding
from bakong_khqr.errors import InvalidRequest
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.exchange import SimulatorRequest

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
COUNTRY = "<html>The Amazon CloudFront distribution is configured to block access from your country.</html>"
NGINX = "<html><center>403 Forbidden</center><hr><center>nginx</center></html>"


def jwt(days: float) -> Token:
    claims = {"exp": int((NOW + timedelta(days=days)).timestamp())}
    return Token(f"x.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()}.y")


def answer(code: int | None, *, response_code: int = 1, status: int = 200, data: object = None) -> httpx.Response:
    return httpx.Response(status, json={"responseCode": response_code, "errorCode": code, "data": data})


def bakong(
    *,
    door: Any = None,
    check: Any = None,
    listed: Any = None,
    elsewhere: Any = None,
    as_browser: Any = None,
    skew: timedelta = timedelta(0),
) -> httpx.MockTransport:
    """A Bakong that is well, save for what is given: an answer or an exception, by what is asked."""

    def respond(request: httpx.Request) -> httpx.Response:
        if "Authorization" not in request.headers:
            said = (
                as_browser if as_browser is not None and request.headers["User-Agent"].startswith("Mozilla") else door
            )
            said = answer(6, status=401) if said is None else said
        elif request.url.host == httpx.URL(SIT).host:
            said = answer(6, status=401) if elsewhere is None else elsewhere
        elif request.url.path.endswith("_list"):
            said = answer(None, response_code=0, data=[]) if listed is None else listed
        else:
            said = answer(1) if check is None else check
        if isinstance(said, Exception):
            raise said
        headers = dict(said.headers) | {"Date": format_datetime(NOW + skew, usegmt=True)}
        return httpx.Response(said.status_code, headers=headers, stream=said.stream)

    return httpx.MockTransport(respond)


def resolves(host: str, port: int) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("18.239.1.1", port))]


def no_address(host: str, port: int) -> list[Any]:
    raise socket.gaierror(-2, "Name or service not known")


def untrusted() -> httpx.ConnectError:
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]")
    cause = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired")
    cause.reason = "CERTIFICATE_VERIFY_FAILED"
    error.__cause__ = cause
    return error


def undecodable() -> httpx.Response:
    """What a broken proxy makes of an answer: it says gzip and isn't."""
    return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"garbage"))


WELL = ["token_valid", "address_of_production", "name_found", "clock_right", "door_open", "token_accepted", "list_open"]


def codes(token: Token | None, transport: Any, *, resolve: Callable[..., Any] = resolves, **options: Any) -> list[str]:
    with httpx.Client(transport=transport) as http:
        return [each.code for each in examine(token, http_client=http, resolve=resolve, now=lambda: NOW, **options)]


TABLE: list[tuple[str, Token | None, httpx.MockTransport, list[str]]] = [
    ("all is well", jwt(60), bakong(), WELL),
    ("no token", None, bakong(), ["token_missing", *WELL[1:5]]),
    ("a token that ends soon", jwt(10), bakong(), ["token_ends_soon", *WELL[1:]]),
    ("an expired token", jwt(-1), bakong(check=answer(6, status=401)), ["token_expired", *WELL[1:5]]),
    ("a token without dates", Token("opaque"), bakong(), ["token_without_dates", *WELL[1:]]),
    (
        "a relay's token",
        Token("rbk-1234"),
        bakong(check=answer(6, status=401)),
        ["token_of_a_relay", *WELL[1:5], "token_refused"],
    ),
    ("a revoked token", jwt(60), bakong(check=answer(6, status=401)), [*WELL[:5], "token_refused"]),
    (
        "a token of the test environment",
        jwt(60),
        bakong(check=answer(6, status=401), elsewhere=answer(1)),
        [*WELL[:5], "wrong_environment"],
    ),
    ("a spent quota", jwt(60), bakong(check=answer(17)), [*WELL[:5], "token_accepted", "quota_spent"]),
    ("code 15 with the token", jwt(60), bakong(check=answer(15)), [*WELL[:5], "bakong_in_trouble"]),
    ("an unknown code with the token", jwt(60), bakong(check=answer(42)), [*WELL[:5], "answer_unclear"]),
    ("cut off with the token", jwt(60), bakong(check=httpx.ReadError("")), [*WELL[:5], "bakong_in_trouble"]),
    ("a closed list", jwt(60), bakong(listed=httpx.Response(403, html=NGINX)), [*WELL[:6], "list_closed"]),
    ("a list in trouble", jwt(60), bakong(listed=httpx.Response(500)), [*WELL[:6], "answer_unclear"]),
    ("abroad", jwt(60), bakong(door=httpx.Response(403, html=COUNTRY)), [*WELL[:4], "country_blocked"]),
    ("a firewall", jwt(60), bakong(door=httpx.Response(403, html=NGINX)), [*WELL[:4], "firewall_blocked"]),
    (
        "a user agent that is lost on the way",
        jwt(60),
        bakong(door=httpx.Response(403, html=NGINX), as_browser=answer(6, status=401)),
        [*WELL[:4], "user_agent_refused"],
    ),
    ("HTTP 503", jwt(60), bakong(door=httpx.Response(503)), [*WELL[:4], "bakong_in_trouble"]),
    ("somebody else's server", jwt(60), bakong(door=httpx.Response(404)), [*WELL[:4], "no_bakong"]),
    ("a page that says 200", jwt(60), bakong(door=httpx.Response(200, html="hello")), [*WELL[:4], "no_bakong"]),
    ("no TLS", jwt(60), bakong(door=untrusted()), [*WELL[:3], "tls_failed"]),
    ("no connection", jwt(60), bakong(door=httpx.ConnectTimeout("")), [*WELL[:3], "no_connection"]),
    ("a door's garbage", jwt(60), bakong(door=undecodable()), [*WELL[:3], "answer_unclear"]),
    ("garbage with the token", jwt(60), bakong(check=undecodable()), [*WELL[:5], "answer_unclear"]),
    ("a list's garbage", jwt(60), bakong(listed=undecodable()), [*WELL[:6], "answer_unclear"]),
    ("a loop on the way", jwt(60), bakong(door=httpx.TooManyRedirects("")), [*WELL[:3], "no_connection"]),
    ("a clock that is slow", jwt(60), bakong(skew=timedelta(minutes=5)), [*WELL[:3], "clock_wrong", *WELL[4:]]),
    ("a clock that is fast", jwt(60), bakong(skew=-timedelta(hours=7)), [*WELL[:3], "clock_wrong", *WELL[4:]]),
]


@pytest.mark.parametrize(("token", "transport", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_cause_is_told_from_the_others(token: Token | None, transport: Any, expected: list[str]) -> None:
    assert codes(token, transport) == expected


@pytest.mark.parametrize(
    ("date", "found"),
    [
        ("Mon, 23 Nov 2026 10:00:00 -0000", ["clock_right"]),
        ("Mon, 23 Nov 2026 17:00:00 -0000", ["clock_wrong"]),
        ("Mon, 23 Nov 2026 17:00:00 +0700", ["clock_right"]),
        ("yesterday", []),
        ("Mon, 23 Nov 2026 10:00:00 +9999999999999999999", []),
    ],
)
def test_the_clock_is_compared_with_any_date_that_can_be_read(date: str, found: list[str]) -> None:
    door = httpx.MockTransport(lambda _: httpx.Response(401, headers={"Date": date}))
    assert [code for code in codes(None, door) if code.startswith("clock")] == found


def test_a_name_that_is_not_known_ends_the_examination() -> None:
    assert codes(jwt(60), bakong(), resolve=no_address) == ["token_valid", "address_of_production", "name_not_found"]


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        (SIT, ["address_of_sit"]),
        (PRODUCTION + "/v1/", ["address_of_production"]),
        ("https://pay.example/bakong", ["address_of_another"]),
        ("http://pay.example", ["address_of_another", "plain_http"]),
        ("http://127.0.0.1:9000", ["address_of_another"]),
    ],
)
def test_the_address_is_named_for_what_it_is(base_url: str, expected: list[str]) -> None:
    found = codes(None, bakong(), base_url=base_url)
    assert found[1 : 1 + len(expected)] == expected
    assert found[1 + len(expected)] == "name_found"


def test_an_md5_is_looked_for_meanwhile() -> None:
    simulator = BakongSimulator(clock=lambda: NOW)
    paid, unpaid = "1" * 32, "2" * 32
    simulator.pay(paid, amount="1", currency="USD", to_account_id="a@b")
    for md5, code in ((paid, "payment_found"), (unpaid, "payment_not_found")):
        assert code in codes(Token("simulator"), simulator.transport(), base_url="http://127.0.0.1:9000", md5=md5)
    with pytest.raises(InvalidRequest, match=r"^md5: must be"):
        codes(None, simulator.transport(), md5="nonsense")


@pytest.mark.parametrize(("switch", "code"), [("geo_block", "country_blocked"), ("md5_list_closed", "list_closed")])
def test_the_simulators_hardships_are_found(switch: str, code: str) -> None:
    simulator = BakongSimulator(clock=lambda: NOW)
    simulator.configure(**{switch: True})
    assert codes(Token("simulator"), simulator.transport(), base_url="http://127.0.0.1:9000")[-1] == code


def test_it_costs_at_most_three_calls_with_the_token() -> None:
    simulator = BakongSimulator(clock=lambda: NOW, daily_quota=2)
    assert codes(Token("simulator"), simulator.transport(), base_url="http://127.0.0.1:9000")[-1] == "list_open"


def test_a_token_is_given_to_bakongs_own_hosts_only() -> None:
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return answer(6, status=401)

    codes(jwt(60), httpx.MockTransport(respond), base_url="https://pay.example")
    assert set(asked) == {"pay.example"}


@pytest.mark.parametrize("code", WORDINGS)
def test_each_finding_speaks_both_languages_and_says_what_to_do(code: str) -> None:
    verdict, english, khmer = WORDINGS[code]
    assert english.found
    assert any("\u1780" <= letter <= "\u17ff" for letter in khmer.found)
    assert bool(english.advice) == bool(khmer.advice)
    assert english.advice or verdict is Verdict.OK
    placeholders = [
        sorted(part.split("}")[0] for part in (each.found + each.advice).split("{")[1:]) for each in (english, khmer)
    ]
    assert placeholders[0] == placeholders[1]


def test_no_finding_shows_the_token() -> None:
    for _, _, transport, _ in TABLE:
        with httpx.Client(transport=transport) as http:
            for finding in examine(Token("PLANTED-token"), http_client=http, resolve=resolves, now=lambda: NOW):
                assert "PLANTED" not in repr(finding) + finding.found("en") + finding.advice("km")


def test_every_finding_can_be_found() -> None:
    reached = {code for row in TABLE for code in row[3]}
    reached |= {
        "address_of_sit",
        "address_of_another",
        "plain_http",
        "name_not_found",
        "payment_found",
        "payment_not_found",
        "environment_unfit",
        "by_proxy",
        "proxy_wants_password",
        "proxy_failed",
    }
    assert reached == WORDINGS.keys()


class Proxy(BaseHTTPRequestHandler):
    """A forward proxy in front of a simulator, which answers with `status` if that is set."""

    simulator = BakongSimulator(clock=lambda: NOW)
    status: int | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = urlsplit(self.path).path
        said = self.simulator.handle(SimulatorRequest(method="POST", path=path, headers=headers, body=body))
        self.send_response_only(self.status or said.status)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    def do_CONNECT(self) -> None:
        self.send_response_only(self.status or 502)
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name in the standard library
        """Keep the test's output short."""


@pytest.fixture
def through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Finding]]]:
    """`through_a_proxy(base_url, status=...)`: what is found where only a proxy knows the name."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://user:planted@127.0.0.1:{server.server_port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)

        def found(base_url: str, status: int | None = None) -> list[Finding]:
            monkeypatch.setattr(Proxy, "status", status)
            return list(examine(Token("simulator"), base_url=base_url, resolve=no_address, now=lambda: NOW))

        yield found
        server.shutdown()
        thread.join()


def test_behind_a_proxy_the_name_is_the_proxys_affair(through_a_proxy: Any) -> None:
    findings = through_a_proxy("http://bank.example")
    assert [each.code for each in findings] == [
        "token_without_dates", "address_of_another", "plain_http", "by_proxy",
        "door_open", "token_accepted", "list_open",
    ]  # fmt: skip
    assert "proxy of the environment, 127.0.0.1:" in findings[3].found("en")
    assert "planted" not in "".join(each.found("en") + each.found("km") + repr(each) for each in findings)


@pytest.mark.parametrize(
    ("base_url", "status", "code"),
    [
        ("http://bank.example", 407, "proxy_wants_password"),
        ("https://bank.example", 407, "proxy_wants_password"),
        ("https://bank.example", 502, "proxy_failed"),
    ],
)
def test_a_proxy_that_refuses_is_told_from_bakong(through_a_proxy: Any, base_url: str, status: int, code: str) -> None:
    assert through_a_proxy(base_url, status)[-1].code == code


def test_a_proxy_that_does_not_answer_is_told_from_bakong(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{door.getsockname()[1]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    *_, last = examine(None, base_url="http://bank.example", resolve=no_address, now=lambda: NOW)
    assert (last.code, last.facts["reason"]) == ("proxy_failed", "ConnectError")


@pytest.mark.parametrize(
    ("name", "value"), [("NO_PROXY", "no host"), ("SSL_CERT_FILE", "/missing.pem"), ("HTTPS_PROXY", "ftp://h:1")]
)
def test_a_setting_that_cannot_be_used_is_a_finding(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    *_, last = examine(None, resolve=no_address, now=lambda: NOW)
    assert last.code == "environment_unfit"
    assert f"can't be used: {name}: " in last.found("en")
