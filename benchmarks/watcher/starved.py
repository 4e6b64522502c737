"""What a hundred calls a day are good for: the service's own rhythm for few calls, under a model of payers.

    python benchmarks/watcher/starved.py

20,000 payments, 70 % paid, each after a log-normal delay with a median of 55 s; eight payers in ten send a hint when
they are done. A model: its payers' behaviour is assumed. The closing check after 24 hours is counted.
"""

import random
import statistics
from datetime import UTC, datetime, timedelta

from attrs import evolve

from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import Payment, PaymentStatus, Purpose
from bakong_service.domain.watching import Mode, next_look

PAYMENTS, PAID, HINTS = 20_000, 0.7, 0.8
MADE = datetime(2026, 11, 1, 12, tzinfo=UTC)
NEW = Payment(
    id=1, reference="pay_1", bill_number="1", md5="0" * 32, qr=b"", user_id=None, purpose=Purpose.ONE_OFF, plan=None,
    plan_version=None, subscription_id=None, subscription=None, quote=None, description=None, metadata=None,
    amount=Money(250, "USD"), credit_reserved=0, to_account="a@b", status=PaymentStatus.PENDING, flags=frozenset(),
    version=1, created_at=MADE, qr_expires_at=MADE + timedelta(minutes=10), deadline_at=MADE + timedelta(minutes=15),
    watch_until=MADE + timedelta(hours=24),
)  # fmt: skip


def live(paid_at: datetime | None, hint_at: datetime | None, mode: Mode) -> tuple[int, timedelta | None]:
    """The calls that one payment cost, and how long after the payer it was seen; None where it never was."""
    payment, calls = NEW, 0
    look = next_look(payment, mode, now=MADE)
    while look.at is not None:
        now = look.at
        if hint_at is not None and payment.hint_at is None and hint_at <= now:
            now = hint_at
            payment = evolve(payment, hint_at=now)
        elif payment.status is PaymentStatus.PENDING and now >= payment.deadline_at:
            payment = evolve(payment, status=PaymentStatus.TIMEOUT)  # our own clock: no call
            look = next_look(payment, mode, now=now)
            continue
        calls += 1
        if paid_at is not None and paid_at <= now:
            return calls, now - paid_at
        payment = evolve(payment, last_check_at=now, checks=payment.checks + 1)
        if now >= payment.watch_until:
            break
        look = next_look(payment, mode, now=now, outcome=Outcome(answer=Answer.NOT_FOUND, asked_at=now))
    return calls, None


def main() -> None:
    for mode in (Mode.SINGLES, Mode.STARVED):
        rng = random.Random(1)  # the same payers at each run
        calls, paid, delays = 0, 0, []
        for _ in range(PAYMENTS):
            paid_at = MADE + timedelta(seconds=rng.lognormvariate(4.0, 0.8)) if rng.random() < PAID else None
            hint_at = paid_at + timedelta(seconds=rng.uniform(1, 6)) if paid_at and rng.random() < HINTS else None
            cost, delay = live(paid_at, hint_at, mode)
            calls += cost
            paid += paid_at is not None
            if delay is not None:
                delays.append(delay.total_seconds())
        delays.sort()
        print(
            f"{mode.value:8} calls per payment {calls / PAYMENTS:5.2f}  payments per 100 calls "
            f"{100 * PAYMENTS / calls:5.1f}  median {statistics.median(delays):4.0f} s  "
            f"p95 {delays[int(len(delays) * 0.95)]:4.0f} s  never seen {paid - len(delays)}"
        )


if __name__ == "__main__":
    main()
