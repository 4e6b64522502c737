"""An answer about a payment is made once, and again as soon as anything about the payment differs."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from attrs import fields

from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.web.payments.polled import PolledAnswers
from kit.business import a_payment
from kit.clocks import BEGIN


class Answers:
    """Makes answers, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, payment: Payment) -> bytes:
        self.made += 1
        return f"{payment.id} {self.made}".encode()


def test_an_answer_is_made_once() -> None:
    polled, answers = PolledAnswers(), Answers()
    assert polled.of(a_payment(), answers) == polled.of(a_payment(), answers) == b"1 1"


@pytest.mark.parametrize(
    "differently",
    [
        {"version": 2},
        {"status": PaymentStatus.PAID},
        {"qr": b"altered"},
        {"next_check_at": BEGIN + timedelta(seconds=3)},
        {"metadata": {"order": "7"}},
    ],
)
def test_any_difference_makes_another_answer(differently: dict[str, Any]) -> None:
    polled, answers = PolledAnswers(), Answers()
    polled.of(a_payment(), answers)
    assert polled.of(a_payment(**differently), answers) == b"1 2"


def test_every_field_of_a_payment_is_compared() -> None:
    assert all(field.eq for field in fields(Payment))


def test_the_answer_that_was_asked_for_longest_ago_is_forgotten_first() -> None:
    polled, answers = PolledAnswers(most=2), Answers()
    for number in (1, 2, 1, 3):
        polled.of(a_payment(id=number), answers)
    assert answers.made == 3
    polled.of(a_payment(id=1), answers)
    assert answers.made == 3
    polled.of(a_payment(id=2), answers)
    assert answers.made == 4


@pytest.mark.anyio
async def test_a_poll_shows_the_next_look_that_a_hint_has_planned(client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    url = made["links"]["self"]
    before = (await client.get(url)).json()
    assert (await client.get(url)).json() == before
    await client.post(made["links"]["check"], json={})
    after = (await client.get(url)).json()
    assert (before["next_check_reason"], after["next_check_reason"]) == ("payer_may_pay", "hint")
