"""What the day's calls are worth with the checkout page: a day of the simulation in `benchmarks/pages`."""

import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # the benchmarks are beside the tests, and no package installs them

from bakong_service.domain.payment import PaymentStatus  # noqa: E402 - it is found only now
from benchmarks.pages.economy import simulate  # noqa: E402
from benchmarks.pages.payers import Habits  # noqa: E402

pytestmark = pytest.mark.anyio


async def test_the_hints_of_open_pages_find_most_money_within_seconds_and_with_few_calls() -> None:
    day = await simulate(Habits(), days=1, payments=30, seed=1)
    assert {story.status for story in day.stories} == {PaymentStatus.PAID, PaymentStatus.EXPIRED}
    assert (len(day.stories), day.concluded, day.lost) == (30, 30, 0)
    assert day.calls["closing_check", "not found"] == 30 - day.settled  # no payment ends without this look
    assert day.calls["hint", "found"] > day.settled / 2
    # One day has few payers. The means of many days are better: see `benchmarks/pages/economy.py`.
    assert statistics.median(day.delays) < 15  # without hints it is 150
    assert day.per_100_calls(day.concluded) > 55
