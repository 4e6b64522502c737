"""What an upgrade without a QR left unpaid is nobody's credit, by whatever sequence of changes."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from bakong_service.domain.money import Money
from bakong_service.domain.plan import PlanTerms
from bakong_service.operations import credit, plan_changes, plans, renewing

pytestmark = pytest.mark.anyio


async def upgrade(desk: Any, reference: str, plan: str = "FULL_KHR") -> Any:
    return await desk.do(plan_changes.upgrade, reference, plan, actor="api:test")


async def downgrade(desk: Any, reference: str, plan: str = "BASIC_KHR") -> None:
    await desk.do(plan_changes.downgrade, reference, plan, at_once=True, actor="api:test")


async def give(desk: Any, minor: int, currency: str = "KHR") -> None:
    amount = Money(minor, currency)
    await desk.do(credit.grant, user_id="u1", amount=amount, reason="granted", source="rev_1")


async def near_the_end(desk: Any, plan: str = "BASIC_KHR", hours: float = 11) -> str:
    """A subscription whose upgrade costs less than a QR can ask for: 6,000 riel * 11 hours / 720 hours = 91.67."""
    subscription = await desk.subscribe(plan)
    desk.at(subscription.period_end - timedelta(hours=hours))
    return str(subscription.reference)


async def test_a_downgrade_doesnt_earn_what_a_free_upgrade_didnt_cost(desk: Any) -> None:
    reference = await near_the_end(desk)
    for _ in range(3):
        assert (await upgrade(desk, reference)).payment is None
        await downgrade(desk, reference)
        assert await desk.credit(currency="KHR") == 0


async def test_nor_in_two_steps(desk: Any) -> None:
    await desk.do(plans.offer, PlanTerms(code="HALF_KHR", name="Half", price=Money(7500, "KHR")), actor="api:test")
    reference = await near_the_end(desk)
    await upgrade(desk, reference)
    await downgrade(desk, reference, "HALF_KHR")
    await downgrade(desk, reference)
    assert await desk.credit(currency="KHR") == 0


async def test_nor_by_upgrades_of_less_than_half_a_cent_each(desk: Any) -> None:
    for price in range(51, 56):
        terms = PlanTerms(code=f"AT_{price}", name="Another", price=Money(price, "USD"))
        await desk.do(plans.offer, terms, actor="api:test")
    reference = await near_the_end(desk, "PREMIUM", hours=300)  # 1 cent * 300 hours / 720 hours = 0.42
    for price in range(51, 56):
        assert (await upgrade(desk, reference, f"AT_{price}")).payment is None
    await downgrade(desk, reference, "PREMIUM")  # 2.08
    assert await desk.credit() == 0


async def test_it_earns_what_credit_paid_for_the_upgrade(desk: Any) -> None:
    reference = await near_the_end(desk)
    await give(desk, 60)
    await upgrade(desk, reference)
    assert await desk.credit(currency="KHR") == 0
    await downgrade(desk, reference)
    assert await desk.credit(currency="KHR") == 60


async def test_what_an_open_renewal_set_aside_pays_before_anything_is_waived(desk: Any) -> None:
    reference = await near_the_end(desk)
    await give(desk, 500)
    await desk.do(renewing.renew, reference, actor="api:test")
    assert await desk.credit(currency="KHR") == 0
    previewed = await desk.do(plan_changes.preview_upgrade, reference, "FULL_KHR")
    upgraded = await upgrade(desk, reference)
    assert (upgraded.quote, upgraded.payment, upgraded.quote.credit) == (previewed, None, "92")
    assert await desk.credit(currency="KHR") == 408


async def test_of_a_later_period_everything_is_earned(desk: Any) -> None:
    reference = await near_the_end(desk)
    await upgrade(desk, reference)
    await desk.pay((await desk.do(renewing.renew, reference, actor="api:test")).payment)
    desk.at((await desk.of()).period_end)
    await downgrade(desk, reference)
    assert await desk.credit(currency="KHR") == 6000


async def test_a_paid_upgrade_is_earned_in_full_less_what_was_waived_before(desk: Any) -> None:
    reference = await near_the_end(desk)
    await upgrade(desk, reference)  # 91.67 waived, of which the first downgrade takes 91.67 off
    await downgrade(desk, reference)
    await desk.do(plans.offer, PlanTerms(code="GOLD_KHR", name="Gold", price=Money(20000, "KHR")), actor="api:test")
    asked = await upgrade(desk, reference, "GOLD_KHR")
    await desk.pay(asked.payment)
    await downgrade(desk, reference)
    assert asked.payment.amount.minor == round(Fraction(18000 * 11, 720))
    assert await desk.credit(currency="KHR") == asked.payment.amount.minor
