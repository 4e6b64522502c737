"""User, plan and amount of a new payment are checked: whatever they are, it is made as asked, or refused."""

import json
import re
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from bakong_khqr import KHQR
from bakong_service.storage.schema import events, payment_history, payments
from bakong_service.web.http.service import Service
from kit.service import ServiceOf

pytestmark = pytest.mark.anyio

PRICES = {"PREMIUM": "0.50", "FAMILY_PREMIUM": "1.00"}
DECIMALS = {"USD": 2, "KHR": 0}
ANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

json_values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
amounts = st.one_of(
    st.decimals(0, 99_999, places=2).map(str),
    st.decimals(-5, 5, places=4).map(str),
    st.integers(0, 10**14).map(str),
    st.text("0123456789.,-+eE_ ٢ ", max_size=15),
    json_values,
)
users = st.one_of(
    st.sampled_from(["user-123", "u" * 64, "u" * 65, "", "a\0b", "សុខា", "org/42"]), st.text(max_size=70), json_values
)
sold = st.one_of(st.sampled_from([*PRICES, "premium", "GOLD", ""]), st.text(max_size=20), json_values)


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    """A service that doesn't tire of it."""
    return service_of(RATE_LIMIT="off")


async def rows(service: Service) -> list[int]:
    """How many rows each table has that a create writes to."""

    def counted(connection: Connection) -> list[int]:
        tables = (payments, payment_history, events)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    return await service.executor.read(counted)


def is_money(amount: Any, currency: Any) -> bool:
    """Whether this is money as the API writes it: more than nothing, with at most the currency's decimals."""
    if not isinstance(amount, str) or currency not in DECIMALS or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", amount):
        return False
    given = Decimal(amount)
    return given > 0 and given == given.quantize(Decimal(1).scaleb(-DECIMALS[currency])) and given < Decimal(10) ** 11


def is_text(value: Any, most: int) -> bool:
    is_storable = isinstance(value, str) and "\0" not in value and not re.search("[\ud800-\udfff]", value)
    return is_storable and 1 <= len(value) <= most


def pointers(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {error["pointer"] for error in answer.json()["errors"]}


@ANY
@given(amount=amounts, currency=st.sampled_from([*DECIMALS, "EUR", "usd", "", None, 840]))
@example(amount="0.00", currency="USD")
@example(amount="0.01", currency="USD")
@example(amount="1.001", currency="USD")
@example(amount="0.5", currency="KHR")
@example(amount=1, currency="USD")
async def test_an_amount_is_asked_for_exactly_as_it_was_sent_or_refused(
    client: httpx.AsyncClient, service: Service, amount: Any, currency: Any
) -> None:
    before = await rows(service)
    answer = await client.post("/v1/payments", json={"amount": amount, "currency": currency})
    if answer.status_code == 201:
        made = answer.json()
        assert is_money(amount, currency)
        assert (Decimal(made["amount"]), made["currency"]) == (Decimal(amount), currency)
        asked = KHQR.decode(made["qr"])
        assert (asked.amount, asked.currency) == (Decimal(amount), currency)
    else:
        assert pointers(answer) <= {"/amount", "/currency"}
        assert not is_money(amount, currency)
        assert await rows(service) == before


def has_nul(value: Any) -> bool:
    return "\\u0000" in json.dumps(value)


@ANY
@given(user=users, plan=sold)
@example(user="user-123", plan="PREMIUM")
@example(user=7, plan="\0")
@example(user="\0", plan=7)
@example(user=None, plan="PREMIUM")
async def test_a_user_and_a_plan_are_checked(client: httpx.AsyncClient, service: Service, user: Any, plan: Any) -> None:
    before = await rows(service)
    answer = await client.post("/v1/payments", json={"user_id": user, "plan": plan})
    if is_text(user, 64) and plan in PRICES:
        made = answer.json()
        assert (answer.status_code, made["user_id"], made["plan"]) == (201, user, plan)
        assert (made["amount"], made["currency"]) == (PRICES[plan], "USD")
        return
    wrong = pointers(answer)
    assert await rows(service) == before
    # A NUL in any member is refused before the types of all.
    if not is_text(user, 64) and user is not None and not has_nul(plan):
        assert "/user_id" in wrong
    if plan is not None and not isinstance(plan, str) and not has_nul(user):
        assert "/plan" in wrong


@ANY
@given(minor=st.integers(1, 10**6), currency=st.sampled_from(list(DECIMALS)), plan=st.sampled_from(list(PRICES)))
@example(minor=50, currency="USD", plan="PREMIUM")
@example(minor=51, currency="USD", plan="PREMIUM")
async def test_an_amount_that_is_not_the_plans_price_is_refused(
    client: httpx.AsyncClient, service: Service, minor: int, currency: str, plan: str
) -> None:
    amount = str(Decimal(minor).scaleb(-DECIMALS[currency]))
    before = await rows(service)
    body = {"user_id": "u1", "plan": plan, "amount": amount, "currency": currency}
    answer = await client.post("/v1/payments", json=body)
    if (Decimal(amount), currency) == (Decimal(PRICES[plan]), "USD"):
        assert answer.json()["amount"] == PRICES[plan]
        return
    assert ("/amount", "amount_not_the_price") in {(e["pointer"], e["code"]) for e in answer.json()["errors"]}
    assert await rows(service) == before
