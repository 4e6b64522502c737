"""The payer's pages over HTTP: who sees what, what is kept by nobody, and when there may be a new code."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import httpx
import pytest
from attrs import evolve

from bakong_service.domain import client_token
from bakong_service.domain.access import Access
from bakong_service.domain.errors import NotFound
from bakong_service.domain.new_code import may_have_new_code
from bakong_service.domain.payment import On, PaymentStatus, Purpose, find
from bakong_service.domain.return_urls import ReturnURLs, is_allowed
from bakong_service.domain.watching import Mode
from bakong_service.operations.payments.renewing_codes import make_new_code
from bakong_service.operations.payments.transition import carry_out
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.bakong import access
from bakong_service.storage.payments import payments
from bakong_service.web.checkout.link_memory import remembered
from bakong_service.web.checkout.states import State, state_of
from bakong_service.web.checkout.words import STATES, WORDS, preferred
from bakong_service.web.http.service import Service
from kit.service import client_of, pay

pytestmark = pytest.mark.anyio

PATHS = ("", "/events", "/status", "/deeplink", "/open", "/card.png")
SETTINGS = {"PUBLIC_URL": "https://pay.example.com", "RETURN_URLS": "https://shop.example/orders,https://other.example"}


@pytest.fixture
def service(service_of: Callable[..., Service]) -> Service:
    return service_of(**SETTINGS)


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(service) as client:
        yield client


@pytest.fixture
async def payment(client: httpx.AsyncClient) -> dict[str, Any]:
    made: dict[str, Any] = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    return made


def page_of(payment: dict[str, Any]) -> str:
    return f"/pay/{payment['client_token']}"


async def looked(service: Service, payment: dict[str, Any], *, after_expiry: float) -> None:
    """Let Bakong have answered "not found" so many seconds after the code expired."""

    def note(work: Any) -> None:
        found = payments.by_reference(work.connection, payment["reference"])
        assert found is not None
        at = found.qr_expires_at + timedelta(seconds=after_expiry)
        payments.note_all(work.connection, [evolve(found, last_check_at=at, last_conclusive_at=at)])

    await service.run("test", note)


async def test_a_stranger_sees_nothing_of_a_payment(
    service: Service, stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    key = client_token.key_of(service.settings.pepper)
    expired = client_token.make(key, payment["reference"], expires_at=service.clock.now())
    forged = payment["client_token"][:-1] + ("A" if payment["client_token"][-1] != "A" else "B")
    for token in (expired, forged, payment["reference"], "x"):
        for path in PATHS:
            answer = await stranger.get(f"/pay/{token}{path}")
            assert answer.status_code in (401, 404), path
            assert payment["bill_number"] not in answer.text
            assert "1.00" not in answer.text


async def test_nobody_keeps_a_page_and_no_other_site_learns_its_address(
    stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    for path in ("", "/status", "/card.png"):
        headers = (await stranger.get(page_of(payment) + path)).headers
        assert "no-store" in headers["cache-control"]
        assert headers["referrer-policy"] == "no-referrer"
    policy = (await stranger.get(page_of(payment))).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


async def test_a_page_carries_its_style_which_its_policy_names(
    stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    answer = await stranger.get(page_of(payment))
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    named = b64encode(sha256(style.encode()).digest()).decode()
    assert "--shop:" in style
    assert f"style-src 'sha256-{named}';" in answer.headers["content-security-policy"]


async def test_every_file_of_the_page_is_there_and_is_kept_for_good(
    stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    html = (await stranger.get(page_of(payment))).text
    addresses = {part.partition('"')[0] for part in html.split('"')[1::2] if part.startswith("/assets/")}
    fonts = {part.partition('"')[0] for part in html.split('url("')[1:]}
    assert (len(addresses), len(fonts)) == (3, 2)
    for address in addresses:
        answer = await stranger.get(address)
        assert (answer.status_code, answer.headers["cache-control"].endswith("immutable")) == (200, True)
        _, _, _, name = address.split("/")
        old = await stranger.get(f"/assets/0000/{name}")
        assert old.headers["cache-control"] == "no-cache"


async def test_a_code_that_can_be_paid_is_not_replaced(
    service: Service, stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    assert (await stranger.post(f"{page_of(payment)}/new")).status_code == 409
    service.clock.offset = timedelta(minutes=10, seconds=5)
    assert (await stranger.post(f"{page_of(payment)}/new")).status_code == 409


async def test_a_payer_who_paid_at_the_last_moment_is_not_asked_to_pay_again(
    service: Service, stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    service.clock.offset = timedelta(minutes=12)
    await looked(service, payment, after_expiry=9)
    assert (await stranger.post(f"{page_of(payment)}/new")).status_code == 409
    await looked(service, payment, after_expiry=10)
    assert (await stranger.post(f"{page_of(payment)}/new")).status_code == 303


async def test_pressing_twice_makes_one_new_code(
    service: Service, client: httpx.AsyncClient, stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    service.clock.offset = timedelta(minutes=12)
    await looked(service, payment, after_expiry=60)
    first = await stranger.post(f"{page_of(payment)}/new?lang=km")
    second = await stranger.post(f"{page_of(payment)}/new?lang=km")
    assert first.headers["location"] == second.headers["location"]
    assert first.headers["location"].endswith("?lang=km")
    newest, old = (await client.get("/v1/payments")).json()["data"]
    assert (newest["replaces"], old["status"], old["flags"]) == (payment["reference"], "cancelled", ["superseded"])
    assert newest["replaces"] == old["reference"]


async def test_a_new_code_for_a_plan_asks_for_the_plan_again(
    service: Service, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    bought = (await client.post("/v1/payments", json={"user_id": "u1", "plan": "PREMIUM"})).json()
    service.clock.offset = timedelta(minutes=12)
    await looked(service, bought, after_expiry=60)
    assert (await stranger.post(f"{page_of(bought)}/new")).status_code == 303
    newest = (await client.get("/v1/payments")).json()["data"][0]
    assert (newest["plan"], newest["amount"], newest["purpose"]) == ("PREMIUM", bought["amount"], "new")


async def test_after_the_deadline_nobody_is_kept_waiting_for_bakong(
    service: Service, client: httpx.AsyncClient, stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    service.clock.offset = timedelta(minutes=16)

    def close(work: UnitOfWork) -> None:
        found = payments.by_reference(work.connection, payment["reference"])
        assert found is not None
        carry_out(work, found, find(found, On.DEADLINE), reason="deadline")

    await service.run("test", close)
    assert (await stranger.post(f"{page_of(payment)}/new")).status_code == 303
    newest, old = (await client.get("/v1/payments")).json()["data"]
    assert (newest["replaces"], old["status"]) == (payment["reference"], "timeout")  # the old one stays watched


async def test_an_upgrade_is_never_made_anew(service: Service, payment: dict[str, Any]) -> None:
    found = await service.executor.read(lambda connection: payments.by_reference(connection, payment["reference"]))
    assert found is not None
    late = found.deadline_at + timedelta(hours=1)
    upgrade = evolve(found, purpose=Purpose.UPGRADE, status=PaymentStatus.TIMEOUT)
    assert not may_have_new_code(upgrade, late)
    assert state_of(upgrade, late, is_away=False) is State.ASK_SHOP


async def test_a_payment_that_is_gone_has_no_new_code(service: Service) -> None:
    with pytest.raises(NotFound):
        await service.run("payer", lambda work: make_new_code(work, "pay_x"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # words come from no database
@pytest.mark.parametrize(
    ("changes", "minutes", "is_away", "state"),
    [
        ({}, 1, False, State.WAITING),
        ({}, 1, True, State.UNREACHABLE),
        ({"no_answers": 2}, 1, False, State.UNREACHABLE),
        ({"no_answers": 1}, 1, False, State.WAITING),
        ({}, 11, False, State.CLOSING),
        ({"status": PaymentStatus.FAILED}, 1, False, State.FAILED),
        ({"status": PaymentStatus.FAILED}, 11, False, State.EXPIRED),
        ({"status": PaymentStatus.TIMEOUT}, 16, False, State.EXPIRED),
        ({"status": PaymentStatus.EXPIRED}, 2000, False, State.EXPIRED),
        ({"status": PaymentStatus.PAID}, 1, True, State.PAID),
        ({"status": PaymentStatus.PAID, "flags": frozenset({"late"})}, 20, False, State.LATE),
        ({"status": PaymentStatus.PAID, "flags": frozenset({"credited", "late"})}, 20, False, State.CREDITED),
        (
            {"status": PaymentStatus.PAID, "flags": frozenset({"late", "partly_refunded"})},
            20,
            False,
            State.PARTLY_REFUNDED,
        ),
        ({"status": PaymentStatus.REVIEW}, 1, True, State.REVIEW),
        ({"status": PaymentStatus.CANCELLED}, 1, True, State.CANCELLED),
        ({"status": PaymentStatus.REFUNDED}, 1, True, State.REFUNDED),
    ],
)
async def test_each_status_has_its_words(
    service: Service,
    payment: dict[str, Any],
    changes: dict[str, Any],
    minutes: int,
    is_away: bool,
    state: State,
) -> None:
    found = await service.executor.read(lambda connection: payments.by_reference(connection, payment["reference"]))
    assert found is not None
    now = found.created_at + timedelta(minutes=minutes)
    assert state_of(evolve(found, **changes), now, is_away=is_away) is state


@pytest.mark.parametrize(
    ("amount", "state", "shown"),
    [
        ("0.40", State.PARTLY_REFUNDED, {"refunded": "$ 0.40", "kept": "$ 0.60"}),
        (None, State.REFUNDED, {"refunded": "$ 1.00"}),
    ],
)
async def test_a_receipt_says_what_was_refunded(
    service: Service,
    client: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
    payment: dict[str, Any],
    amount: str | None,
    state: State,
    shown: dict[str, str],
) -> None:
    await pay(service, payment["reference"])
    assert refunds_on((await stranger.get(page_of(payment))).text) == {}
    refund = {"refund_reference": "FT1"} | ({} if amount is None else {"amount": amount})
    assert (await client.post(f"/v1/payments/{payment['reference']}/refund", json=refund)).status_code == 200
    for language in WORDS:
        page = (await stranger.get(f"{page_of(payment)}?lang={language}")).text
        assert STATES[language][state][0] in page
        assert WORDS[language]["refunded"] in page
        assert refunds_on(page) == shown


async def test_money_that_a_person_returned_is_on_the_receipt(
    service: Service, client: httpx.AsyncClient, stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    await pay(service, payment["reference"], amount=Decimal("7.00"), currency="EUR")
    [item] = (await client.get("/v1/reviews")).json()["data"]
    decision = {"action": "refunded", "note": "FT1"}
    assert (await client.post(f"/v1/reviews/{item['reference']}/resolve", json=decision)).status_code == 200
    assert refunds_on((await stranger.get(page_of(payment))).text) == {"refunded": "7.00 EUR"}


async def test_money_that_became_credit_is_on_the_receipt_with_its_refund(
    service: Service, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    made = (await client.post("/v1/payments", json={"user_id": "u1", "plan": "PREMIUM"})).json()
    await pay(service, made["reference"], amount=Decimal("0.20"))
    [item] = (await client.get("/v1/reviews")).json()["data"]
    decision = {"action": "credit", "note": "by phone"}
    assert (await client.post(f"/v1/reviews/{item['reference']}/resolve", json=decision)).status_code == 200
    refund = {"refund_reference": "FT1", "amount": "0.05"}
    assert (await client.post(f"/v1/payments/{made['reference']}/refund", json=refund)).status_code == 200
    assert refunds_on((await stranger.get(page_of(made))).text) == {"refunded": "$ 0.05", "kept": "$ 0.15"}


def refunds_on(page: str) -> dict[str, str]:
    """What a page says of refunds."""
    return dict(re.findall(r'<dd id="(refunded|kept)">([^<]*)</dd>', page))


async def test_a_page_says_that_bakong_cannot_be_reached(
    service: Service, stranger: httpx.AsyncClient, payment: dict[str, Any]
) -> None:
    blocked = Access(mode=Mode.BLOCKED, reason="refused", since=service.clock.now())
    await service.executor.run(lambda connection: access.write(connection, blocked))
    assert (await stranger.get(f"{page_of(payment)}/status")).text == "unreachable-1"


async def test_a_payer_can_be_sent_back_only_where_the_settings_allow_it(client: httpx.AsyncClient) -> None:
    body = {"amount": "1", "currency": "USD"}
    good = {"success_url": "https://shop.example/orders/17?ok=1", "return_url": "https://other.example/"}
    made = await client.post("/v1/payments", json=body | good)
    assert made.json() | good | {"cancel_url": None} == made.json()
    refused = await client.post("/v1/payments", json=body | {"cancel_url": "https://evil.example/"})
    assert (refused.status_code, refused.json()["code"]) == (422, "return_url_not_allowed")
    assert refused.json()["errors"][0]["pointer"] == "/cancel_url"


def test_a_payer_goes_back_to_where_the_outcome_belongs() -> None:
    urls = ReturnURLs(return_url="https://a.example", success_url="https://b.example", cancel_url="https://c.example")
    assert (urls.back(is_paid=True), urls.back(is_paid=False)) == ("https://b.example", "https://c.example")
    either = ReturnURLs(return_url="https://a.example")
    assert (either.back(is_paid=True), either.back(is_paid=False)) == ("https://a.example", "https://a.example")


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.evil.example/",
        "https://shop.example@evil.example/",
        "https://shop.example:444/orders",
        "https://shop.example/ordersx",
        "https://shop.example/orders/../admin",
        "https://shop.example/orders/%2e%2e/admin",
        "https://shop.example\\.evil.example/orders",
        "//shop.example/orders",
        "javascript:alert(1)",
        "https://shop.example/orders#\u17a2",
        "https://[shop.example/orders",
        "https://shop.example/orders?" + "x" * 500,
    ],
)
def test_an_address_that_only_looks_allowed_is_refused(url: str) -> None:
    assert not is_allowed(url, ["https://shop.example/orders"])


async def test_a_link_to_a_bank_app_is_asked_for_once() -> None:
    asked: list[str] = []

    async def ask(payload: str) -> str:
        asked.append(payload)
        return f"https://bakong.example/{payload}"

    link = remembered(ask)
    assert [await link("a"), await link("a"), await link("b")] == [
        "https://bakong.example/a",
        "https://bakong.example/a",
        "https://bakong.example/b",
    ]
    assert asked == ["a", "b"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("km-KH,km;q=0.9,en;q=0.8", "km"),
        ("en-GB,en;q=0.9,km;q=0.8", "en"),
        ("fr,km;q=0.3", "km"),
        ("zh", "en"),
        ("km;q=nonsense", "en"),
        ("km;q=0", "en"),
    ],
)
def test_the_browser_s_language_is_spoken(accepted: str, language: str) -> None:
    assert preferred(accepted) == language


def test_each_language_has_each_sentence() -> None:
    assert WORDS["en"].keys() == WORDS["km"].keys()
    for states in STATES.values():
        assert states.keys() == set(State)
        assert all(all(texts) for texts in states.values())


async def test_a_busy_service_tells_the_payer_not_to_pay_twice(service_of: Any, payment: dict[str, Any]) -> None:
    async with client_of(service_of(**SETTINGS, RATE_LIMIT="1/minute"), key=None) as visitor:
        await visitor.get(page_of(payment))
        refused = await visitor.get(page_of(payment))
    assert refused.status_code == 429
    assert WORDS["en"]["busy_dont"] in refused.text.replace("&#39;", "'")
