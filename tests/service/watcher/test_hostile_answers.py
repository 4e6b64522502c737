"""Bakong's answers are read as a stranger's: whatever they say, nothing crashes and no payment is paid by mistake."""

import json
import os
from random import Random
from typing import Any

import pytest

from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, PaymentStatus
from kit.scene import Scene

pytestmark = pytest.mark.anyio

PAID = {PaymentStatus.PAID, PaymentStatus.REFUNDED}
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1e308, "", "0", "NaN", "٢", "\x00", "a" * 5000, [], {}, [[]], {"a": {}},
)  # fmt: skip


def right(scene: Scene, payment: Payment) -> dict[str, Any]:
    """The answer that would make this payment paid."""
    now = int(scene.till.now.timestamp() * 1000)
    return {
        "hash": f"{payment.id:064x}", "fromAccountId": "payer@bank", "toAccountId": payment.to_account,
        "currency": payment.amount.currency, "amount": float(payment.amount.decimal), "description": "",
        "createdDateMs": now, "acknowledgedDateMs": now, "externalRef": "100FT1",
    }  # fmt: skip


def spoilt(data: dict[str, Any], dice: Random) -> str:
    """An answer that isn't the right one: money of another amount, currency or account, or no readable answer."""
    data = dict(data)
    wrong_money = {
        "amount": dice.choice([*ODD, 2.49, 2.51, 0.01, 250, "2,50", -2.5]),
        "currency": dice.choice([*ODD, "KHR", "usd", "EUR", "USDT"]),
        "toAccountId": dice.choice([*ODD, "thief@aclb", "sokha@aclb.evil", "SOKHA@wing"]),
    }
    name = dice.choice(list(wrong_money))
    data[name] = wrong_money[name]
    if dice.random() < 0.2:
        del data[name]
    envelope: Any = {"responseCode": 0, "responseMessage": "ok", "errorCode": None, "data": data}
    match dice.randrange(6):
        case 0:
            envelope["data"] = dice.choice([*ODD, [data], [data, data]])
        case 1:
            envelope["responseCode"] = dice.choice(ODD)
        case 2:
            envelope = dice.choice([*ODD, [envelope]])
    text = json.dumps(envelope)
    if dice.random() < 0.1:
        return text[: dice.randrange(len(text))]
    return text


async def test_api10_no_answer_crashes_the_watcher_and_none_is_taken_for_the_money_that_was_asked_for(
    scene: Scene,
) -> None:
    await hold(scene, 12, Random(1))


@pytest.mark.slow
async def test_api10_the_same_for_as_many_answers_as_one_likes(scene: Scene) -> None:
    await hold(scene, int(os.environ.get("ANSWERS", "100000")), Random())


async def hold(scene: Scene, answers: int, dice: Random) -> None:
    for _ in range(answers):
        payment = await scene.till.create(amount=Money(250, "USD"))
        body = spoilt(right(scene, payment), dice)
        stood = await told(scene, payment, body)
        assert stood.status not in PAID, body
        if stood.status is PaymentStatus.PENDING:
            await scene.till.cancel(payment)
        scene.till.later(days=8)  # nothing of it is watched any more


async def told(scene: Scene, payment: Payment, body: str) -> Payment:
    """The payment after Bakong answered so to the question about it."""
    scene.bakong.reset()
    scene.bakong.configure(md5_list_closed=True)  # so each payment is asked about by itself
    answer: dict[str, Any] = {"status": 200, "content_type": "application/json", "body": body}
    scene.bakong.inject("answer", endpoint="check_transaction_by_md5", times=None, **answer)
    scene.restart()
    await scene.till.hint(payment)
    for _ in range(2):  # the first step finds the list closed
        scene.till.later(seconds=5)
        await scene.step()
    asked = [request.path.rpartition("/")[2] for request in scene.bakong.requests]
    assert "check_transaction_by_md5" in asked, asked
    return await scene.till.payment(payment)


async def test_the_right_answer_among_them_would_be_taken(scene: Scene) -> None:
    payment = await scene.till.create(amount=Money(250, "USD"))
    data = right(scene, payment)
    body = json.dumps({"responseCode": 0, "responseMessage": "ok", "errorCode": None, "data": data})
    assert (await told(scene, payment, body)).status is PaymentStatus.PAID
