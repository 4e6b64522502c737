"""A day in Phnom Penh, as it is compared with the bank's statement."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer
from bakong_service.storage.payments import reconciliation
from kit.till import Till

pytestmark = pytest.mark.anyio
MIDNIGHT = datetime(2026, 11, 1, 17, tzinfo=UTC)  # the 2nd of November begins in Phnom Penh


async def of(till: Till, day: date) -> reconciliation.Reconciliation:
    return await till.executor.read(lambda c: reconciliation.of_day(c, day), many=True)


async def test_money_belongs_to_the_day_on_which_the_payer_sent(till: Till) -> None:
    till.at(MIDNIGHT - timedelta(minutes=1))
    evening = await till.create(amount=Money(250, "USD"))
    night = await till.create(amount=Money(4000, "KHR"))
    till.later(minutes=2)
    await till.see(evening, sent_at=MIDNIGHT - timedelta(seconds=1))
    await till.see(night, sent_at=MIDNIGHT)
    first, second = await of(till, date(2026, 11, 1)), await of(till, date(2026, 11, 2))
    assert [line.payment for line in first.lines] == [evening.reference]
    assert [line.payment for line in second.lines] == [night.reference]
    assert first.totals() == {"confirmed": {"USD": "2.50"}}
    assert second.totals() == {"confirmed": {"KHR": "4000"}}
    [line] = first.lines
    assert (line.expected, line.amount, line.currency, line.external_ref) == ("2.50", "2.50", "USD", "100FT00000000001")


async def test_every_fate_of_money_has_its_line(till: Till) -> None:
    till.at(MIDNIGHT)
    paid, late, review, credited, returned, rejected, unknown = [
        await till.create(user_id=f"u{n}", amount=Money(100, "USD")) for n in range(7)
    ]
    await till.see(paid)
    for payment, action in ((credited, "credit"), (returned, "refunded"), (rejected, "not_ours")):
        await till.see(payment, amount=Decimal("0.5"))
        [item] = await till.reviews(payment)
        await till.resolve(item, action)
    await till.see(review, amount=Decimal("0.25"))
    till.later(minutes=20)
    await till.see(late)
    till.at(unknown.watch_until)
    await till.answer(unknown, Answer.NO_ANSWER, reason="blocked")
    day = await of(till, date(2026, 11, 2))
    assert {line.payment: line.state for line in day.lines} == {
        paid.reference: "confirmed",
        late.reference: "late",
        review.reference: "review",
        credited.reference: "credited",
        returned.reference: "refunded",
        rejected.reference: "rejected",
        unknown.reference: "unverifiable",
    }
    assert day.totals() == {
        "confirmed": {"USD": "1.00"}, "late": {"USD": "1.00"}, "review": {"USD": "0.25"}, "credited": {"USD": "0.50"},
        "refunded": {"USD": "0.50"}, "rejected": {"USD": "0.50"}, "unverifiable": {"USD": "1.00"},
    }  # fmt: skip
    assert day.lines[-1].amount is None
    assert (await of(till, date(2026, 11, 3))).lines == ()


async def test_half_a_riel_is_told_as_it_came(till: Till) -> None:
    await till.see(await till.create(amount=Money(4000, "KHR")), amount=Decimal("4000.5"))
    assert (await of(till, date(2026, 11, 1))).totals() == {"review": {"KHR": "4000.5"}}
