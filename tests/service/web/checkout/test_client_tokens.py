"""A client token opens one payment, for a time, and nothing else."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
import zxingcpp
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from resvg_py import svg_to_bytes

from bakong_service.domain import client_token
from bakong_service.web.checkout import tokens
from bakong_service.web.http.service import Service
from kit.service import client_of

pytestmark = pytest.mark.anyio

KEY = client_token.key_of(b"the pepper")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OPENED = ("qr.png", "qr.svg", "card.png", "card.svg", "deeplink")


@given(st.uuids(version=4), st.integers(1, 10**8))
def test_a_token_names_its_payment_until_it_expires(uuid: UUID, seconds: int) -> None:
    ends = NOW + timedelta(seconds=seconds)
    token = client_token.make(KEY, f"pay_{uuid}", expires_at=ends)
    assert client_token.read(KEY, token, now=ends - timedelta(seconds=1)) == f"pay_{uuid}"
    assert client_token.read(KEY, token, now=ends) is None
    assert client_token.read(client_token.key_of(b"another pepper"), token, now=NOW) is None


@given(st.uuids(version=4), st.integers(4, 51), st.characters(codec="ascii"))
def test_a_token_with_another_character_opens_nothing(uuid: UUID, place: int, character: str) -> None:
    token = client_token.make(KEY, f"pay_{uuid}", expires_at=NOW + timedelta(days=1))
    forged = token[:place] + character + token[place + 1 :]
    assert (client_token.read(KEY, forged, now=NOW) is None) == (forged != token)


def test_a_token_is_written_in_one_way() -> None:
    """Python reads `+` and `/` for `-` and `_`, so one payment would have several tokens."""
    token = client_token.make(KEY, f"pay_{UUID(int=2**128 - 1)}", expires_at=NOW + timedelta(days=1))
    assert "_" in token[4:]
    assert client_token.read(KEY, "pct_" + token[4:].replace("_", "/"), now=NOW) is None


def test_a_token_with_a_character_of_no_alphabet_opens_nothing() -> None:
    """Python passes over such characters, and then misses one."""
    token = client_token.make(KEY, f"pay_{UUID(int=1)}", expires_at=NOW + timedelta(days=1))
    assert client_token.read(KEY, token[:-1] + "!", now=NOW) is None


@given(st.text())
def test_any_other_text_opens_nothing(text: str) -> None:
    assert client_token.read(KEY, text, now=NOW) is None
    assert client_token.read(KEY, client_token.PREFIX + text, now=NOW) is None


@pytest.fixture
async def payment(client: httpx.AsyncClient) -> dict[str, Any]:
    body = {"amount": "1", "currency": "USD", "user_id": "u1", "metadata": {"order": "secret"}}
    made: dict[str, Any] = (await client.post("/v1/payments", json=body)).json()
    return made


def showing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_opens_everything_that_a_page_needs_of_its_payment(
    stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    here, headers = payment["links"]["self"], showing(payment["client_token"])
    for name in OPENED:
        assert (await stranger.get(f"{here}/{name}", headers=headers)).status_code == 200, name
    assert (await stranger.post(f"{here}/check", headers=headers)).status_code == 202
    seen = (await stranger.get(here, headers=headers)).json()
    assert (seen["reference"], seen["status"]) == (payment["reference"], "pending")


async def test_a_token_shows_nothing_that_the_shop_wrote_for_itself(
    stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    headers = showing(payment["client_token"])
    for answer in (
        await stranger.get(payment["links"]["self"], headers=headers),
        await stranger.post(payment["links"]["check"], headers=headers),
    ):
        assert not {"user_id", "metadata", "value", "links", "client_token"} & answer.json().keys()


async def test_a_token_can_do_nothing_else(stranger: httpx.AsyncClient, payment: dict[str, Any]) -> None:
    here, headers = payment["links"]["self"], showing(payment["client_token"])
    for method, path in (
        ("POST", f"{here}/cancel"),
        ("GET", f"{here}/history"),
        ("GET", f"{here}/receipts"),
        ("GET", "/v1/payments"),
        ("POST", "/v1/payments"),
        ("POST", f"{here}/refund"),
    ):
        assert (await stranger.request(method, path, headers=headers)).status_code == 401, path
    as_operator = await stranger.post(f"{here}/check", headers=headers, json={"by_operator": True})
    assert (as_operator.status_code, as_operator.json()["code"]) == (403, "missing_scope")


async def test_a_stranger_with_another_payment_s_token_or_an_expired_one_sees_nothing(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any]
) -> None:
    other = (await client.post("/v1/payments", json={"amount": "2", "currency": "USD"})).json()
    key = client_token.key_of(service.settings.pepper)
    expired = client_token.make(key, payment["reference"], expires_at=service.clock.now())
    for token in (other["client_token"], expired, "pct_" + "A" * 48):
        for name in ("", *(f"/{each}" for each in OPENED), "/events"):
            refused = await stranger.get(payment["links"]["self"] + name, headers=showing(token))
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid_key"), (token, name)


async def test_a_token_is_checked_without_the_database(service: Service) -> None:
    gone: Any = SimpleNamespace(dialect="sqlite")  # a database that can't be asked
    expired = client_token.make(client_token.key_of(service.settings.pepper), "pay_" + "0" * 32, expires_at=NOW)
    async with client_of(evolve(service, executor=gone), key=expired) as client:
        assert (await client.get("/v1/payments/pay_00000000-0000-0000-0000-000000000000")).status_code == 401


async def test_a_payment_has_an_address_for_its_payer_where_the_service_has_a_public_one(service_of: Any) -> None:
    service = service_of(PUBLIC_URL="https://pay.example.com")
    async with client_of(service) as client:
        made = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    assert made["checkout_url"] == f"https://pay.example.com/pay/{made['client_token']}"
    assert tokens.reference_of(service, made["client_token"]) == made["reference"]


async def test_without_a_public_address_there_is_none_for_the_payer(payment: dict[str, Any]) -> None:
    assert payment["checkout_url"] is None


async def test_the_card_is_read_back_to_the_exact_payload(client: httpx.AsyncClient, payment: dict[str, Any]) -> None:
    png = (await client.get(payment["links"]["card_png"])).content
    drawn = bytes(svg_to_bytes(svg_string=(await client.get(payment["links"]["card_svg"])).text))
    for picture in (png, drawn):
        [found] = zxingcpp.read_barcodes(_image(picture))
        assert found.text == payment["qr"]


async def test_a_name_that_no_font_can_write_costs_the_card_and_not_the_payment(service_of: Any) -> None:
    async with client_of(service_of(MERCHANT_NAME="咖啡")) as client:
        made = await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})
        refused = await client.get(made.json()["links"]["card_png"])
    assert made.status_code == 201
    assert (refused.status_code, refused.json()["code"]) == (409, "no_card")


def _image(content: bytes) -> Image.Image:
    from io import BytesIO

    return Image.open(BytesIO(content)).convert("RGB")
