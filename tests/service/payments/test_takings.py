"""What a shop took in is what its days' reconciliations say, to the cent, whatever happened to the money."""

import asyncio
import csv
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakong_service.domain import spreadsheet
from bakong_service.domain.money import Money
from bakong_service.storage.payments import reconciliation
from bakong_service.storage.payments.takings import Step, Takings, takings
from kit.till import Till

pytestmark = pytest.mark.anyio
MIDNIGHT = datetime(2026, 10, 31, 17, tzinfo=UTC)  # November begins in Phnom Penh
FIRST, DAYS = date(2026, 10, 30), 5
_users = count(1)
NAMES = {
    "confirmed": "paid_net",
    "late": "paid_net",
    "refunded": "refunded",
    "credited": "credited",
    "review": "review",
}

Fate = st.tuples(
    st.sampled_from(["coffee", "riel", "PREMIUM"]),
    st.integers(-30, 30),  # hours from midnight at which the payer sends
    st.sampled_from(["right", "little", "half a riel", "euros"]),
    st.sampled_from(["", "accept", "credit", "refunded", "not_ours"]),
    st.sampled_from([None, "0.01", "0.2", "all"]),
)


async def of(till: Till, since: date, until: date, by: Step = Step.DAY) -> list[Takings]:
    told: list[Takings] = await till.executor.read(lambda c: takings(c, since=since, until=until, by=by), many=True)
    return told


async def live(till: Till, user: str, fate: Any) -> None:
    """Let a payment be made, paid in some way, decided about and refunded."""
    what, hours, how, action, back = fate
    till.clock.at = MIDNIGHT + timedelta(hours=hours)
    asked: dict[str, dict[str, Any]] = {
        "coffee": {"amount": Money(250, "USD")},
        "riel": {"amount": Money(4000, "KHR")},
        "PREMIUM": {"plan": "PREMIUM"},
    }
    payment = await till.create(user_id=user, **asked[what])
    seen: dict[str, dict[str, Any]] = {
        "right": {},
        "little": {"amount": Decimal(1)},
        "half a riel": {"amount": Decimal("0.5"), "currency": "KHR"},
        "euros": {"currency": "EUR"},
    }
    await till.see(payment, **seen[how])
    till.later(minutes=1)
    for item in await till.reviews(payment):
        if action:
            await asyncio.gather(till.resolve(item, action), return_exceptions=True)
    if back is not None:
        amount = None if back == "all" else Decimal(back)
        await asyncio.gather(till.refund(payment, amount=amount), return_exceptions=True)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(fates=st.lists(Fate, min_size=1, max_size=6))
async def test_each_day_equals_its_reconciliation(till: Till, fates: list[Any]) -> None:
    for fate in fates:
        await live(till, f"u{next(_users)}", fate)
    months: dict[Any, Decimal] = defaultdict(Decimal)
    for day in (FIRST + timedelta(days=offset) for offset in range(DAYS)):
        told: dict[Any, Decimal] = defaultdict(Decimal)
        for line in await of(till, day, day + timedelta(days=1)):
            assert line.period == day.isoformat()
            for name, amount in amounts(line):
                told[name, line.currency] += amount
                months[str(day)[:7], line.currency, line.plan, name] += amount
        expected: dict[Any, Decimal] = defaultdict(Decimal)
        for state, sums in (await reconciled(till, day)).totals().items():
            for currency, total in sums.items():
                if state in NAMES:
                    expected[NAMES[state], currency] += Decimal(total)
        assert {key: total for key, total in told.items() if total} == expected
    by_month = await of(till, FIRST, FIRST + timedelta(days=DAYS), Step.MONTH)
    assert {
        (line.period, line.currency, line.plan, name): amount for line in by_month for name, amount in amounts(line)
    } == months
    assert [each for each in await till.violations() if each.invariant == "I1"] == []


def amounts(line: Takings) -> list[tuple[str, Decimal]]:
    return [(name, Decimal(getattr(line, name))) for name in set(NAMES.values())]


async def reconciled(till: Till, day: date) -> reconciliation.Reconciliation:
    told: reconciliation.Reconciliation = await till.executor.read(lambda c: reconciliation.of_day(c, day), many=True)
    return told


async def test_money_counts_in_the_day_and_month_of_phnom_penh(till: Till) -> None:
    till.clock.at = MIDNIGHT - timedelta(minutes=2)
    october, november = await till.create(user_id="u1", plan="PREMIUM"), await till.create(amount=Money(4000, "KHR"))
    till.later(minutes=3)
    await till.see(october, sent_at=MIDNIGHT - timedelta(microseconds=1))
    await till.see(november, sent_at=MIDNIGHT)
    await till.refund(october, amount=Decimal("0.20"))
    nothing = {"credited": "0.00", "review": "0.00"}
    first = Takings(period="2026-10-31", currency="USD", plan="PREMIUM", paid_net="0.30", refunded="0.20", **nothing)
    second = Takings(
        period="2026-11-01", currency="KHR", plan=None, paid_net="4000", refunded="0", credited="0", review="0"
    )
    assert await of(till, date(2026, 10, 1), date(2026, 12, 1)) == [first, second]
    assert await of(till, date(2026, 10, 31), date(2026, 11, 1)) == [first]
    months = await of(till, date(2026, 10, 1), date(2026, 12, 1), Step.MONTH)
    assert [(line.period, line.paid_net) for line in months] == [("2026-10", "0.30"), ("2026-11", "4000")]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_a_spreadsheet_runs_no_cell(text: str) -> None:
    written = spreadsheet.table(("user_id", "amount"), [{"user_id": text, "amount": "-1.00"}])
    rows = list(csv.reader(StringIO(written, newline="")))
    assert rows == [["user_id", "amount"], [f"'{text}", "-1.00"]]
