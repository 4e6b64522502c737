"""What a hundred calls a day are good for with the checkout page: the real service, its simulator, and assumed payers.

    python -m benchmarks.pages.economy [--days 5] [--payments 50] [--seeds 1 2]

Time is simulated, and the same seed gives the same figures. A payment is concluded when it is paid, or when the check
at the end of its watch says that nobody paid. Every call to Bakong counts: those after the deadline, the refused ones,
and the links to bank apps. The delay runs from the payer's transfer until the service has the payment as paid.
`payers.py` says what is assumed of payers.
"""

import argparse
import asyncio
import logging
import statistics
import tempfile
from collections import Counter
from datetime import timedelta

import structlog
from attrs import evolve, frozen

from bakong_service.domain.payment import PaymentStatus
from benchmarks.pages.payers import Habits
from benchmarks.pages.simulated import FIRST_DAY, Story, a_shop


@frozen
class Days:
    """What some days came to."""

    stories: list[Story]
    calls: Counter[tuple[str, str]]

    @property
    def in_all(self) -> int:
        return self.calls.total()

    @property
    def concluded(self) -> int:
        over = (PaymentStatus.PAID, PaymentStatus.EXPIRED)
        return sum(story.status in over for story in self.stories)

    @property
    def settled(self) -> int:
        return sum(story.status is PaymentStatus.PAID for story in self.stories)

    @property
    def lost(self) -> int:
        """Payments that were paid and that the service doesn't have as paid."""
        return sum(story.paid_after is not None for story in self.stories) - self.settled

    @property
    def delays(self) -> list[float]:
        return sorted(story.delay_seconds for story in self.stories if story.delay_seconds is not None)

    def per_100_calls(self, payments: int) -> float:
        return 100 * payments / self.in_all


async def simulate(habits: Habits, *, days: int, payments: int, seed: int, sends_hints: bool = True) -> Days:
    """Run the shop for some days, and on until every payment has its end."""
    with tempfile.TemporaryDirectory() as folder:
        async with a_shop(folder, habits=habits, seed=seed, sends_hints=sends_hints) as shop:
            for day in range(days):
                shop.open_for_a_day(FIRST_DAY + timedelta(days=day), payments)
            await shop.run()
            return Days(await shop.stories(), shop.calls)


def together(runs: list[Days]) -> Days:
    """Return several runs as one."""
    return Days([story for run in runs for story in run.stories], sum((run.calls for run in runs), Counter()))


def row(name: str, days: Days) -> str:
    """Return a line of the table."""
    tenths = statistics.quantiles(days.delays, n=10)
    return (
        f"| {name} | {days.in_all / len(days.stories):.2f} | {days.per_100_calls(days.concluded):.1f} "
        f"| {days.per_100_calls(days.settled):.1f} | {statistics.median(days.delays):.1f} s | {tenths[-1]:.0f} s "
        f"| {days.lost} |"
    )


def reasons(days: Days) -> str:
    """Return which looks the calls were spent on."""
    lines = ["| look | answer | calls | share |", "|---|---|---|---|"]
    for (reason, answer), calls in days.calls.most_common():
        lines.append(f"| {reason} | {answer} | {calls} | {100 * calls / days.in_all:.0f} % |")
    return "\n".join(lines)


def main() -> None:
    """Run the days for each kind of payers, and print tables in Markdown."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--days", type=int, default=5)
    arguments.add_argument("--payments", type=int, default=50, help="a day")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    options = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # a line a request
    usual = Habits()
    kinds = [
        ("usual", usual, True),
        ("half have a second screen", evolve(usual, on_one_phone=0.5), True),
        ("return after 10 s, not 5", evolve(usual, returns_after_seconds=10), True),
        ("one in ten returns once before paying", evolve(usual, looks_back_early=0.1), True),
        ("all on one phone use the bank app's link", evolve(usual, by_link=1), True),
        ("usual, and no page sends hints", usual, False),
    ]
    print("| payers | calls per payment | concluded per 100 calls | settled per 100 calls | p50 | p90 | lost |")
    print("|---|---|---|---|---|---|---|")
    first: Days | None = None
    for name, habits, sends_hints in kinds:
        runs = [
            asyncio.run(
                simulate(habits, days=options.days, payments=options.payments, seed=seed, sends_hints=sends_hints)
            )
            for seed in options.seeds
        ]
        first = first or together(runs)
        print(row(name, together(runs)), flush=True)
    assert first is not None
    print("\nWhere the calls of the usual payers went:\n")
    print(reasons(first))


if __name__ == "__main__":
    main()
