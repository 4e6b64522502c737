"""What a call of the daily quota is worth: three ways to follow 20,000 payments, in simulated time.

    python benchmarks/quota/run.py [--payments 20000] [--seed 1]

The model is assumed, not measured on payers: 7 of 10 codes are paid; a payer takes a log-normal time around 55 s (sigma
0.8), always within the code's ten minutes; Bakong shows the payment 1 to 3 s later; where the bank app returns to the
shop (a hint), it does so 3 to 15 s after the payment. Ours runs the SDK's own `PaymentWatch`.
"""

import argparse
import random
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from attrs import frozen

from bakong_khqr import KHQR, Currency
from bakong_khqr.api import Transaction
from bakong_khqr.calling.polling import GROWING, SPARING, PaymentWatch, PollingSchedule
from bakong_khqr.errors import PaymentExpired

START = datetime(2026, 1, 1, tzinfo=UTC)
LIFE, GRACE = timedelta(minutes=10), timedelta(minutes=2)
CODE = KHQR.individual(
    bakong_account_id="sokha@aclb",
    merchant_name="Sokha Coffee",
    currency="USD",
    amount="2.50",
    created_at=START,
    expires_in=LIFE,
)


@frozen(kw_only=True)
class Payer:
    """One code's fate, in seconds after it was shown; None where there is none."""

    paid: float | None
    visible: float | None
    hint: float | None


@frozen(kw_only=True)
class Outcome:
    """What following one code came to."""

    calls: int
    seen: float | None


def payers(count: int, hints: float, seed: int) -> Iterator[Payer]:
    """The same payers for every policy."""
    rng = random.Random(seed)
    for _ in range(count):
        paid = rng.lognormvariate(4.007, 0.8)  # exp(4.007) = 55
        while paid >= LIFE.total_seconds():
            paid = rng.lognormvariate(4.007, 0.8)
        visible, hint = paid + rng.uniform(1, 3), paid + rng.uniform(3, 15)
        returns, pays = rng.random() < hints, rng.random() < 0.7
        yield (
            Payer(paid=paid, visible=visible, hint=hint if returns else None)
            if pays
            else Payer(paid=None, visible=None, hint=None)
        )


def transaction(payer: Payer, now: float) -> Transaction | None:
    """What Bakong answers at an age."""
    if payer.visible is None or payer.paid is None or now < payer.visible:
        return None
    sent = START + timedelta(seconds=payer.paid)
    return Transaction(
        hash="0" * 64, from_account_id=None, to_account_id="sokha@aclb", currency=Currency.USD, amount=Decimal("2.50"),
        created_at=sent, acknowledged_at=sent, description=None, tracking_status=None, receiver_bank=None,
        receiver_bank_account=None, instruction_ref=None, external_ref=None,
    )  # fmt: skip


def ours(schedule: PollingSchedule) -> Callable[[Payer], Outcome]:
    """The SDK's wait, driven through simulated time."""

    def follow(payer: Payer) -> Outcome:
        watch = PaymentWatch(CODE, started_at=START, schedule=schedule, grace=GRACE)
        hint = payer.hint
        calls = 0
        while True:
            if hint is not None and START + timedelta(seconds=hint) < watch.due_at:
                watch.hinted(START + timedelta(seconds=hint))
                hint = None
            now = watch.due_at
            calls += 1
            age = (now - START).total_seconds()
            try:
                if watch.answered(transaction(payer, age), asked_at=now) is not None:
                    return Outcome(calls=calls, seen=age)
            except PaymentExpired:
                return Outcome(calls=calls, seen=None)

    return follow


def at(ages: Callable[[], Iterator[float]]) -> Callable[[Payer], Outcome]:
    """A fixed schedule until expiry and grace, and a last check there."""

    def follow(payer: Payer) -> Outcome:
        calls, last = 0, (LIFE + GRACE).total_seconds()
        for age in ages():
            age = min(age, last)
            calls += 1
            if payer.visible is not None and age >= payer.visible:
                return Outcome(calls=calls, seen=age)
            if age == last:
                break
        return Outcome(calls=calls, seen=None)

    return follow


def naive() -> Iterator[float]:
    """Every 5 s."""
    age = 0.0
    while True:
        age += 5
        yield age


def incumbent() -> Iterator[float]:
    """PyPI bakong-khqr 0.6.5: 5 s in the first 5 min, 10 s to 15, 15 s to 60, then 300 s."""
    age = 0.0
    while True:
        age += 5 if age < 300 else 10 if age < 900 else 15 if age < 3600 else 300
        yield age


POLICIES: list[tuple[str, float, Callable[[Payer], Outcome]]] = [
    ("naive, every 5 s", 0, at(naive)),
    ("incumbent's schedule", 0, at(incumbent)),
    ("ours, GROWING", 0, ours(GROWING)),
    ("ours, SPARING, no hints", 0, ours(SPARING)),
    ("ours, SPARING, hints 8 of 10", 0.8, ours(SPARING)),
    ("ours, SPARING, hints 9 of 10", 0.9, ours(SPARING)),
]


def main() -> None:
    """Run all policies on the same payers and print a table in Markdown."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--payments", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    print("| policy | calls per payment | concluded per 100 calls | settled per 100 calls | median | p95 | lost |")
    print("|---|---|---|---|---|---|---|")
    for name, hints, follow in POLICIES:
        crowd = list(payers(options.payments, hints, options.seed))
        outcomes = [follow(payer) for payer in crowd]
        calls = sum(outcome.calls for outcome in outcomes)
        delays = [
            outcome.seen - payer.paid
            for payer, outcome in zip(crowd, outcomes, strict=True)
            if outcome.seen is not None and payer.paid is not None
        ]
        lost = sum(payer.paid is not None for payer in crowd) - len(delays)
        p95 = statistics.quantiles(delays, n=20)[-1]
        print(
            f"| {name} | {calls / len(crowd):.2f} | {100 * len(crowd) / calls:.1f} | {100 * len(delays) / calls:.1f} "
            f"| {statistics.median(delays):.0f} s | {p95:.0f} s | {lost} |"
        )


if __name__ == "__main__":
    main()
