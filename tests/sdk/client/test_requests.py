"""What is sent, to where, with which headers; and which arguments are refused before anything is."""

import asyncio
import inspect
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bakong_khqr import Currency, InvalidKHQR, errors
from bakong_khqr.api import SourceInfo, Token
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.client import BakongClient

MD5, HASH = "00112233445566778899aabbccddeeff", "0a1b2c3d" * 8
SOURCE = {"app_name": "Shop", "app_icon_url": "https://shop.example/i.png", "app_deep_link_callback": "shop://paid"}

ENDPOINTS = [
    ("request_token", ("dev@example.test",), {"organization": "Example Co", "project": "Shop"}, "request_token",
     {"email": "dev@example.test", "organization": "Example Co", "project": "Shop"}, False),
    ("verify_code", ("ABCDEFGHIJKLMNOPQRST",), {}, "verify", {"code": "ABCDEFGHIJKLMNOPQRST"}, False),
    ("renew_token", ("dev@example.test",), {}, "renew_token", {"email": "dev@example.test"}, False),
    ("check_account", ("sokha@demo",), {}, "check_bakong_account", {"accountId": "sokha@demo"}, True),
    ("account_exists", ("sokha@demo",), {}, "check_account_exist", {"accountId": "sokha@demo"}, False),
    ("transaction_by_md5", (MD5.upper(),), {}, "check_transaction_by_md5", {"md5": MD5}, True),
    ("transaction_by_hash", (HASH,), {}, "check_transaction_by_hash", {"hash": HASH}, True),
    ("transaction_by_short_hash", ("0a1b2c3d",), {"amount": "1.50", "currency": "USD"},
     "check_transaction_by_short_hash", {"hash": "0a1b2c3d", "amount": 1.5, "currency": "USD"}, True),
    ("transaction_by_short_hash", ("0a1b2c3d",), {"amount": Decimal("4000"), "currency": Currency.KHR},
     "check_transaction_by_short_hash", {"hash": "0a1b2c3d", "amount": 4000, "currency": "KHR"}, True),
    ("transaction_by_instruction_ref", ("REF",), {},
     "check_transaction_by_instruction_ref", {"instructionRef": "REF"}, True),
    ("transaction_by_external_ref", ("100FT",), {},
     "check_transaction_by_external_ref", {"externalRef": "100FT"}, True),
    ("transactions_by_md5", ([MD5.upper()],), {}, "check_transaction_by_md5_list", [MD5], True),
    ("transactions_by_hash", ([HASH],), {}, "check_transaction_by_hash_list", [HASH], True),
]  # fmt: skip


@pytest.mark.parametrize(("method", "arguments", "options", "path", "body", "with_token"), ENDPOINTS)
def test_each_endpoint_is_asked_as_the_reference_says(
    client_for: Any, scripted: Any, method: str, arguments: Any, options: Any, path: str, body: Any, with_token: bool
) -> None:
    bakong = scripted(httpx.Response(400))
    with pytest.raises(errors.InvalidRequest):
        getattr(client_for(bakong), method)(*arguments, **options)
    (request,) = bakong.requests
    assert str(request.url) == f"https://api-bakong.nbc.gov.kh/v1/{path}"
    assert request.method == "POST"
    assert bakong.bodies == [body]
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("bakong-khqr-sdk/")
    assert request.headers.get("Authorization") == ("Bearer a-token" if with_token else None)


def test_the_short_hash_amount_is_the_very_number(client_for: Any, scripted: Any) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    client_for(bakong).transaction_by_short_hash("0a1b2c3d", amount="9999999999.99", currency="USD")
    assert b'"amount": 9999999999.99,' in bakong.requests[0].content


@pytest.mark.parametrize("as_text", [False, True])
def test_a_deep_link_sends_payload_and_source(client_for: Any, scripted: Any, khqr: Any, as_text: bool) -> None:
    link = "https://any.example/AbC"
    bakong = scripted(scripted.answered(200, 0, None, {"shortLink": link}))
    client = client_for(bakong)
    code = khqr.payload if as_text else khqr
    assert str(client.generate_deeplink(code)) == link
    assert client.generate_deeplink(code, source_info=SourceInfo(**SOURCE)).short_link == link
    assert bakong.bodies == [
        {"qr": khqr.payload},
        {
            "qr": khqr.payload,
            "sourceInfo": {
                "appName": "Shop",
                "appIconUrl": "https://shop.example/i.png",
                "appDeepLinkCallback": "shop://paid",
            },
        },
    ]
    assert "Authorization" not in bakong.requests[0].headers


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"app_name": ""}, "app_name: must have 1 to 255 characters"),
        ({"app_icon_url": ""}, "app_icon_url: must have 1 to"),
        ({"app_icon_url": "shop/i.png"}, "app_icon_url: must be an https or http address, not 'shop/i.png'"),
        ({"app_icon_url": "javascript:alert(1)"}, "app_icon_url: must be an https or http address"),
        ({"app_deep_link_callback": "/paid"}, "app_deep_link_callback: must be an address with a scheme"),
    ],
)
def test_a_source_that_bakong_would_refuse_is_refused_here(changes: dict[str, str], rule: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=rule):
        SourceInfo(**(SOURCE | changes))


REFUSED = [
    ("transaction_by_md5", ("",), {}, "md5: must be the 32 hexadecimal digits"),
    ("transaction_by_md5", (MD5 + "0",), {}, "md5: must be the 32 hexadecimal digits"),
    ("transaction_by_md5", ("g" * 32,), {}, "md5: must be the 32 hexadecimal digits"),
    ("transaction_by_md5", (MD5 + "\n",), {}, "md5: must be the 32 hexadecimal digits"),
    ("transaction_by_hash", ("",), {}, "hash: must have 1 to 255 characters"),
    (
        "transaction_by_short_hash",
        ("0a1b2c3",),
        {"amount": 1, "currency": "USD"},
        "short_hash: must have 8 characters, and this has 7",
    ),
    ("transaction_by_external_ref", (" ",), {}, "external_ref: must have"),
    (
        "transaction_by_instruction_ref",
        ("x" * 256,),
        {},
        "instruction_ref: must have 1 to 255 characters, and this has 256",
    ),
    (
        "transactions_by_md5",
        ([MD5] * 60 + ["bad"],),
        {},
        "md5s: must be the 32 hexadecimal digits of a payload's MD5, not 'bad'",
    ),
    ("transactions_by_md5", ([MD5],), {"fallback": "single"}, "fallback: must be"),
    ("transactions_by_hash", ([HASH, ""],), {}, "hashes: must have"),
    ("check_account", ("sokha",), {}, "account_id: must be name@bank"),
    ("check_account", ("a@b@c",), {}, "account_id: must be name@bank"),
    ("account_exists", ("x" * 28 + "@bank",), {}, "account_id: must have 1 to 32 characters, and this has 33"),
    ("renew_token", ("planted-secret",), {}, "email: must contain exactly one @"),
    ("renew_token", ("planted-secret@" + "x" * 20,), {}, "email: must have 1 to 30 characters"),
    ("verify_code", ("planted-secret",), {}, "code: must have 20 characters, and this has 14"),
    ("request_token", ("a@b",), {"organization": "", "project": "p"}, "organization: must have 1 to 100"),
]


@pytest.mark.parametrize(("method", "arguments", "options", "rule"), REFUSED)
def test_a_bad_argument_is_named_with_its_rule_and_never_sent(
    client_for: Any, scripted: Any, method: str, arguments: Any, options: Any, rule: str
) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    with pytest.raises(errors.InvalidRequest) as caught:
        getattr(client_for(bakong), method)(*arguments, **options)
    assert str(caught.value).startswith(rule)
    assert "planted" not in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert not bakong.requests


@pytest.mark.parametrize(
    ("method", "arguments", "options"),
    [
        ("transaction_by_md5", (None,), {}),
        ("transaction_by_md5", (MD5.encode(),), {}),
        ("transactions_by_md5", (MD5,), {}),
        ("transactions_by_md5", ([1],), {}),
        ("transaction_by_short_hash", ("0a1b2c3d",), {"amount": 1.5, "currency": "USD"}),
        ("transaction_by_short_hash", ("0a1b2c3d",), {"amount": "1.5", "currency": None}),
        ("generate_deeplink", (1,), {}),
        ("generate_deeplink", ("KHQR",), {"source_info": SOURCE}),
        ("wait_for_payment", (None,), {}),
        ("renew_token", (1,), {}),
    ],
)
def test_a_wrong_python_type_is_a_type_error(
    client_for: Any, scripted: Any, khqr: Any, method: str, arguments: Any, options: Any
) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    arguments = tuple(khqr if argument == "KHQR" else argument for argument in arguments)
    with pytest.raises(TypeError):
        getattr(client_for(bakong), method)(*arguments, **options)
    assert not bakong.requests


def test_an_amount_that_is_none_of_its_currency_says_so(client_for: Any, scripted: Any) -> None:
    with pytest.raises(InvalidKHQR, match="riel are whole"):
        client_for(scripted(scripted.NOT_FOUND)).transaction_by_short_hash("0a1b2c3d", amount="1.5", currency="KHR")


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://sit-api-bakong.nbc.gov.kh", "https://sit-api-bakong.nbc.gov.kh/v1/"),
        ("https://api-bakong.nbc.gov.kh/v1/", "https://api-bakong.nbc.gov.kh/v1/"),
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000/v1/"),
        ("http://[::1]:9000", "http://[::1]:9000/v1/"),
        (" https://pay.example/bakong/ ", "https://pay.example/bakong/v1/"),
    ],
)
def test_the_base_url_may_be_a_forwarder(client_for: Any, scripted: Any, given: str, asked: str) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    client_for(bakong, base_url=given).transaction_by_md5(MD5)
    assert str(bakong.requests[0].url) == f"{asked}check_transaction_by_md5"


@pytest.mark.parametrize(
    "base_url",
    ["", "api-bakong.nbc.gov.kh", "ftp://host", "https://", "https://user:planted@host", "https://host?token=planted", "https://host#x",
     "https://host:99999", "https://[::1", "eyJplanted.e.s", "https://a b"],
)  # fmt: skip
def test_a_base_url_that_is_none_is_refused_unseen(client_for: Any, scripted: Any, base_url: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"^base_url: must be like https://") as caught:
        client_for(scripted(scripted.NOT_FOUND), base_url=base_url)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    ["https://ho\x01st", "https://\u200b.example", "https://" + "x" * 70_000, "http://a..b", "http://xn--",
     "https://" + "x" * 64 + ".example"],
)  # fmt: skip
def test_a_base_url_whose_host_is_no_name_is_refused(client_for: Any, scripted: Any, base_url: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"^base_url: ") as caught:
        client_for(scripted(scripted.NOT_FOUND), base_url=base_url)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "httpx shows the host"


@pytest.mark.parametrize(
    ("option", "value", "kind_of_error"),
    [
        ("token", b"planted", TypeError),
        ("token", 5, TypeError),
        ("email", 5, TypeError),
        ("base_url", None, TypeError),
        ("retry", 3, TypeError),
        ("http_client", "planted", TypeError),
        ("http_client", httpx, TypeError),
        ("timeout_seconds", "30", TypeError),
        ("timeout_seconds", True, TypeError),
        ("timeout_seconds", None, TypeError),
        ("timeout_seconds", 0, errors.InvalidRequest),
        ("timeout_seconds", -1, errors.InvalidRequest),
        ("timeout_seconds", float("nan"), errors.InvalidRequest),
        ("timeout_seconds", float("inf"), errors.InvalidRequest),
    ],
)
@pytest.mark.parametrize("kind", [BakongClient, AsyncBakongClient])
def test_an_option_that_cannot_be_is_refused_by_its_name(
    kind: Any, option: str, value: Any, kind_of_error: type[Exception]
) -> None:
    with pytest.raises(kind_of_error, match=f"^{option}: must be") as caught:
        kind(**{"token": "a-token"} | {option: value})
    assert "planted" not in str(caught.value)


def test_each_client_takes_its_own_kind_of_http_client() -> None:
    swapped: list[tuple[Any, Any]] = [(BakongClient, httpx.AsyncClient), (AsyncBakongClient, httpx.Client)]
    for kind, other in swapped:
        with pytest.raises(TypeError, match=r"^http_client: must be an httpx\."):
            kind("a-token", http_client=other())


def test_a_redirect_is_not_followed_with_the_token(client_for: Any, scripted: Any) -> None:
    bakong = scripted(httpx.Response(307, headers={"Location": "https://elsewhere.example/"}), scripted.PAID)
    with pytest.raises(errors.UnexpectedAnswer):
        client_for(bakong).transaction_by_md5(MD5)
    assert len(bakong.requests) == 1


def test_an_endless_answer_is_read_no_further_than_its_cap(client_for: Any) -> None:
    sent = 0

    class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            nonlocal sent
            while True:
                sent += 65536
                yield b" " * 65536

        async def __aiter__(self) -> Any:
            for chunk in self:
                await asyncio.sleep(0)
                yield chunk

    with pytest.raises(errors.UnexpectedAnswer, match="longer than 1048576 bytes"):
        client_for(httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))).transaction_by_md5(MD5)
    assert sent <= 1024 * 1024 + 2 * 65536


def test_a_client_that_is_given_stays_open_and_ones_own_is_closed() -> None:
    with httpx.Client() as http:
        with BakongClient("a-token", http_client=http):
            pass
        assert not http.is_closed
    with BakongClient("a-token") as client:
        own = client._sender._http.here
    assert own.is_closed


@pytest.mark.anyio
async def test_an_asynchronous_client_that_is_given_stays_open_and_ones_own_is_closed() -> None:
    async with httpx.AsyncClient() as http:
        async with AsyncBakongClient("a-token", http_client=http):
            pass
        assert not http.is_closed
    async with AsyncBakongClient("a-token") as client:
        own = client._sender._http.here
    assert own.is_closed


@pytest.mark.parametrize("kind", [BakongClient, AsyncBakongClient])
def test_settings_come_from_the_environment(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKONG_TOKEN", " a-token\n")
    monkeypatch.setenv("BAKONG_EMAIL", "dev@example.test")
    monkeypatch.setenv("BAKONG_BASE_URL", "http://127.0.0.1:9000/v1")
    client = kind.from_env(timeout_seconds=5)
    assert client.token == Token("a-token")
    assert client._renewal is not None
    assert client._sender._base_url == "http://127.0.0.1:9000"
    assert kind.from_env(token="another").token == Token("another")
    monkeypatch.setenv("BAKONG_TOKEN", "")
    assert kind.from_env().token is None  # the email gets one
    for name in ("BAKONG_EMAIL", "BAKONG_BASE_URL"):
        monkeypatch.setenv(name, "")
    with pytest.raises(errors.Unauthorized, match=r"from_env needs a token: .* set BAKONG_TOKEN"):
        kind.from_env()
    client = kind.from_env(token=None)
    assert client.token is client._renewal is None
    assert client._sender._base_url == "https://api-bakong.nbc.gov.kh"


RENAMED = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}


def face(kind: type) -> dict[str, list[tuple[str, Any, Any]]]:
    """The names of a client's methods and properties, with the parameters of each."""
    names = {name for name in vars(kind) if not name.startswith("_")} | {"__init__"}
    names |= (RENAMED.keys() | set(RENAMED.values())) & vars(kind).keys()
    return {RENAMED.get(name, name): parameters(vars(kind)[name]) for name in names}


def parameters(member: Any) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults; a default that waits or tells the time only by what it is for."""
    member = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    return [
        (each.name, each.kind, "a function" if inspect.isroutine(each.default) else each.default)
        for each in inspect.signature(member).parameters.values()
    ]


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    assert face(BakongClient) == face(AsyncBakongClient)
    assert len(face(BakongClient)) >= 18
