"""Each entry of the ledger says from where to where value moved, how much, why, and what caused it."""

from typing import Any

import pytest
from sqlalchemy import select

from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments import requests, reviews
from bakong_service.operations.payments.settling import pass_deadline
from bakong_service.operations.subscriptions import cancelling, plan_changes, renewing
from bakong_service.storage.payments import reviews as queue
from bakong_service.storage.schema import ledger_entries
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio

Entry = tuple[str, str, int, str, str]


class Clerk:
    """Reads what was written in the ledger since it was read last."""

    def __init__(self, desk: Till) -> None:
        self.desk = desk
        self._read: set[int] = set()

    async def new(self) -> set[Entry]:
        entries = await self.desk.read(lambda c: c.execute(select(ledger_entries)).all())
        found = {
            (each.from_account, each.to_account, each.minor, each.reason, each.cause)
            for each in entries
            if each.id not in self._read
        }
        self._read |= {each.id for each in entries}
        return found

    async def pay(self, payment: Any, minor: int | None = None) -> Any:
        return await self.desk.pay(payment, amount=None if minor is None else Money(minor, payment.amount.currency))

    async def resolve(self, payment: Any, action: str) -> str:
        (item,) = await self.desk.read(queue.of_payment, payment.id, only_open=True)
        await self.desk.do(reviews.resolve, item.reference, action=action, note="by phone")
        return str(item.reference)

    async def refund(self, payment: Any, *, reverse: bool) -> None:
        await self.desk.do(reviews.record_refund, payment.reference, refund_reference="FT1", reverse=reverse)

    async def give(self, minor: int) -> str:
        granted = await self.desk.do(credit.grant, "u1", Money(minor, "USD"), reason="goodwill")
        return str(granted.reference)


@pytest.fixture
def clerk(desk: Till) -> Clerk:
    return Clerk(desk)


async def test_money_that_pays(desk: Till, clerk: Clerk) -> None:
    asked = await desk.buy()
    await clerk.pay(asked)
    assert await clerk.new() == {("outside", "period", 50, "paid", asked.reference)}
    one_off = await desk.do(requests.create, NewPayment(amount=Money(100, "USD")))
    await clerk.pay(one_off)
    assert await clerk.new() == {("outside", "served", 100, "paid", one_off.reference)}


@pytest.mark.parametrize(
    ("action", "target", "reason"),
    [("credit", "credit", "credited"), ("refunded", "outside", "returned"), ("not_ours", "outside", "not_ours")],
)
async def test_money_that_a_person_decides_about(
    desk: Till, clerk: Clerk, action: str, target: str, reason: str
) -> None:
    asked = await desk.buy()
    await clerk.pay(asked, 20)
    assert await clerk.new() == {("outside", "review", 20, "seen", asked.reference)}
    item = await clerk.resolve(asked, action)
    assert await clerk.new() == {("review", target, 20, reason, item)}


async def test_money_that_is_accepted(desk: Till, clerk: Clerk) -> None:
    asked = await desk.buy()
    await clerk.pay(asked, 70)
    await clerk.new()
    await clerk.resolve(asked, "accept")
    paid = asked.reference
    assert await clerk.new() == {("review", "period", 50, "paid", paid), ("review", "credit", 20, "paid", paid)}


async def test_money_that_came_when_its_quote_was_outdated(desk: Till, clerk: Clerk) -> None:
    subscription = await desk.subscribe()
    asked = there((await desk.do(plan_changes.upgrade, subscription.reference, "FAMILY_PREMIUM")).payment)
    desk.at(asked.deadline_at)
    await desk.do(pass_deadline, asked)
    await clerk.pay((await desk.do(renewing.renew, subscription.reference)).payment)
    await clerk.new()
    await desk.pay(asked, sent_at=asked.created_at)
    assert await clerk.new() == {("outside", "credit", 50, "outdated", asked.reference)}


async def test_credit_that_is_given_set_aside_given_back_and_removed(desk: Till, clerk: Clerk) -> None:
    gift = await clerk.give(20)
    assert await clerk.new() == {("gift", "credit", 20, "granted", gift)}
    asked = await desk.buy()
    assert await clerk.new() == {("credit", "set_aside", 20, "set_aside", asked.reference)}
    await desk.do(requests.cancel, asked.reference, reason="changed my mind")
    assert await clerk.new() == {("set_aside", "credit", 20, "given_back", asked.reference)}
    removal = await clerk.give(-5)
    assert await clerk.new() == {("credit", "lost", 5, "removed", removal)}
    again = await desk.buy()
    await clerk.new()
    await clerk.pay(again)
    paid = again.reference
    assert await clerk.new() == {("outside", "period", 35, "paid", paid), ("set_aside", "period", 15, "paid", paid)}


async def test_time_credit_and_changes_of_a_subscription(desk: Till, clerk: Clerk) -> None:
    reference = (await desk.subscribe("FAMILY_PREMIUM")).reference
    await clerk.new()
    desk.later(days=15)
    await desk.do(plan_changes.downgrade, reference, "PREMIUM", at_once=True)
    changed = {("period", "served", 50, "served", reference), ("period", "credit", 25, "plan_changed", reference)}
    assert await clerk.new() == changed
    await desk.do(plan_changes.upgrade, reference, "FAMILY_PREMIUM")
    assert await clerk.new() == {("credit", "period", 25, "spent", reference)}
    desk.later(days=3)
    await desk.do(cancelling.cancel, reference, at_once=True, reason=None)
    assert await clerk.new() == {
        ("period", "served", 10, "served", reference), ("period", "lost", 40, "cancelled", reference),
    }  # fmt: skip


async def test_a_renewal_that_credit_pays(desk: Till, clerk: Clerk) -> None:
    reference = (await desk.subscribe()).reference
    await clerk.give(50)
    await clerk.new()
    await desk.do(renewing.renew, reference)
    assert await clerk.new() == {("credit", "period", 50, "spent", reference)}


async def test_a_refund_in_place_and_its_reversal(desk: Till, clerk: Clerk) -> None:
    paid = await clerk.pay(await desk.buy())
    reference = (await desk.of()).reference
    await clerk.new()
    desk.later(days=15)
    await clerk.refund(paid, reverse=False)
    assert await clerk.new() == {
        ("period", "served", 25, "served", reference),
        ("served", "outside", 25, "refunded", paid.reference), ("gift", "served", 25, "refunded", paid.reference),
        ("period", "outside", 25, "refunded", paid.reference), ("gift", "period", 25, "refunded", paid.reference),
    }  # fmt: skip
    await clerk.refund(paid, reverse=True)
    assert await clerk.new() == {("period", "gift", 25, "reversed", paid.reference)}


async def test_a_refund_with_reverse(desk: Till, clerk: Clerk) -> None:
    paid = await clerk.pay(await desk.buy("FAMILY_PREMIUM"))
    await desk.do(plan_changes.downgrade, (await desk.of()).reference, "PREMIUM", at_once=True)
    await clerk.new()
    await clerk.refund(paid, reverse=True)
    assert await clerk.new() == {
        ("period", "outside", 50, "reversed", paid.reference), ("credit", "outside", 50, "reversed", paid.reference),
    }  # fmt: skip
