"""Moves value when money goes back to the payer, and takes back what it bought if the refund is reversed.

A refund without reversing leaves the service in place, as the shop's gift. A reversed refund takes back everything that
wasn't served yet, and shortens the time. Both take credit that came from the money, even if it is set aside.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from bakong_service.domain import ledger as accounts
from bakong_service.domain import lifecycle
from bakong_service.domain.ledger import GIFT, OUTSIDE, AccountKind, Reason
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Happening, Period, Status, Subscription
from bakong_service.domain.value import Share, Timetable, difference, held, remaining, shortened
from bakong_service.operations.ledger import moving
from bakong_service.operations.subscriptions import boundaries, renewing, selling
from bakong_service.operations.subscriptions.recording import Cause, record
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.ledger.entries import Holding
from bakong_service.storage.payments import payments
from bakong_service.storage.subscriptions import periods, plan_changes, plans, subscriptions

_PART_FROM = (AccountKind.CREDIT, AccountKind.LOST, AccountKind.PERIOD, AccountKind.SERVED)
"""Where a refund of a part takes value from, in this order."""


@frozen
class Former:
    """The plans that periods had before a change, and the value that each period needs to be as without the change."""

    change_id: int
    plans: Mapping[int, Plan]
    shares: Sequence[Share]


def send_back(
    work: UnitOfWork, payment: Payment, receipt_id: int | None, *, reverse: bool, part: Money | None = None
) -> dict[str, Any]:
    """Move the money of a payment back to the payer. Return what was taken back, in major units by currency.

    Without a `part`, this is all of the receipt's money that didn't go back earlier. A part is taken first from credit,
    then from what is lost, then from periods, the last period first, and at last from what is served: the user can do
    without it in this order. With `reverse` and no receipt, the money went back earlier, and what it bought is taken
    back now. The caller has locked the user and the payment.
    """
    if payment.user_id is not None:
        _serve(work, payment.user_id)
    origins = [] if receipt_id is None else [accounts.receipt_origin(receipt_id)]
    if reverse and part is None:
        origins.append(accounts.gift_origin(payment.reference))
    renewed = _supersede(work, origins) if part is None or _credit(work, origins) < part.minor else set()
    holdings = ledger.of_origins(work.connection, origins)
    taken, by_period = _take(work, payment, holdings if part is None else _chosen(holdings, part), reverse=reverse)
    for subscription_id in sorted(periods.subscriptions_of(work.connection, by_period)):
        _follow(work, payment, subscription_id, by_period, is_whole=part is None)
    for subscription_id in renewed:
        _renew_again(work, subscription_id)
    return taken


def _serve(work: UnitOfWork, user_id: str) -> None:
    live = subscriptions.live_of(work.connection, user_id)
    if live is not None:
        live = boundaries.apply_due(work, live.id)
        moving.serve(work, live)


def _supersede(work: UnitOfWork, origins: Iterable[str]) -> set[int]:
    """Supersede the open payments that this value reduces. Return the subscriptions whose renewals were among them."""
    renewed = set()
    for holding in ledger.of_origins(work.connection, origins):
        if holding.account.kind is AccountKind.SET_ASIDE:
            payment = payments.by_reference(work.connection, holding.account.holder)
            assert payment is not None
            assert payment.user_id is not None
            selling.supersede(work, payment.user_id, (payment.purpose,))
            if payment.purpose is Purpose.RENEWAL and payment.subscription_id is not None:
                renewed.add(payment.subscription_id)
    return renewed


def _credit(work: UnitOfWork, origins: Iterable[str]) -> int:
    """Return how much of this value is credit that no open payment is reduced by, in minor units."""
    found = ledger.of_origins(work.connection, origins)
    return sum(holding.money.minor for holding in found if holding.account.kind is AccountKind.CREDIT)


def _chosen(holdings: Iterable[Holding], part: Money) -> list[Holding]:
    """Return the holdings that a part of the money is taken from, each with as much as is taken there."""
    there = [holding for holding in holdings if holding.account.kind in _PART_FROM]
    chosen, left = [], part.minor
    for holding in sorted(there, key=_turn):
        minor = min(holding.money.minor, left)
        left -= minor
        if minor:
            chosen.append(evolve(holding, money=Money(minor, part.currency)))
    return chosen


def _turn(holding: Holding) -> tuple[int, int]:
    account = holding.account
    return _PART_FROM.index(account.kind), -int(account.holder) if account.kind is AccountKind.PERIOD else 0


def _take(
    work: UnitOfWork, payment: Payment, holdings: Iterable[Holding], *, reverse: bool
) -> tuple[dict[str, Any], Counter[int]]:
    """Take value from its accounts. Return what was taken back, and how much from each period."""
    taken: dict[str, Counter[str]] = {}
    by_period: Counter[int] = Counter()
    why = ledger.MoveCause(Reason.REVERSED if reverse else Reason.REFUNDED, payment.reference)
    for holding in holdings:
        kind, money = holding.account.kind, holding.money
        if kind in (AccountKind.OUTSIDE, AccountKind.GIFT, AccountKind.REVIEW):
            continue
        is_taken = kind is not AccountKind.SERVED and (reverse or kind is not AccountKind.PERIOD)
        if is_taken:
            taken.setdefault(money.currency, Counter())[kind.value] += money.minor
        if is_taken and kind is AccountKind.PERIOD:
            by_period[int(holding.account.holder)] += money.minor
        _return(work, payment, holding, why, keeps_place=not is_taken)
    return _written(taken), by_period


def _return(work: UnitOfWork, payment: Payment, holding: Holding, why: ledger.MoveCause, *, keeps_place: bool) -> None:
    """Move value back to the payer or the shop. With `keeps_place`, the shop's gift takes its place."""
    if accounts.is_gift(holding.origin):
        if not keeps_place:
            work.move(holding.money, holding.account, GIFT, why, origin=holding.origin)
        return
    work.move(holding.money, holding.account, OUTSIDE, why, origin=holding.origin)
    if keeps_place:
        gift = accounts.gift_origin(payment.reference)
        work.move(holding.money, GIFT, holding.account, why, origin=gift)


def _follow(
    work: UnitOfWork, payment: Payment, subscription_id: int, taken: Mapping[int, int], *, is_whole: bool
) -> None:
    """Restore the former plan if the payment bought the latest change of plan; else shorten the time.

    A refund of a part leaves the plan in place, because the user has paid the other part of its price.
    """
    subscription = subscriptions.by_id(work.connection, subscription_id)
    assert subscription is not None
    paid = moving.unserved(work, subscription)
    cause = Cause("refunded", {"payment": payment.reference})
    former = _former_plans(work, subscription, payment, paid, taken) if is_whole else None
    lost = {each: minor for each, minor in taken.items() if former is None or each not in former.plans}
    timetable = shortened(paid, lost, work.now)
    _save(work, timetable)
    if all(period.ends_at <= work.now for period in timetable.kept):
        _end(work, subscription, timetable, cause)
    elif former is not None:
        _restore(work, subscription, timetable, former, cause, is_shorter=bool(lost))
    else:
        # This comes first, because events show the user's credit. The upgrade was quoted for the longer time.
        selling.supersede(work, subscription.user_id, (Purpose.UPGRADE,))
        after = lifecycle.rescheduled(subscription, timetable.kept)
        record(work, subscription, after, Happening.PAYMENT_REVERSED, cause)
        boundaries.apply_due(work, subscription.id)


def _save(work: UnitOfWork, timetable: Timetable) -> None:
    periods.remove(work.connection, timetable.removed, now=work.now)
    periods.save(work.connection, timetable.kept)


def _former_plans(
    work: UnitOfWork, subscription: Subscription, payment: Payment, paid: Sequence[Period], taken: Mapping[int, int]
) -> Former | None:
    """Return the former plans if this payment bought the latest change of plan.

    Return None if another change followed, or if the periods hold less now than they would without the change.
    """
    change = plan_changes.latest(work.connection, subscription.id)
    if change is None or change.payment_id != payment.id:
        return None
    before = {each.period_id: each for each in change.before}
    changed = [period for period in paid if period.id in before]
    shares = [
        Share(
            period.number,
            before[period.id].worth(remaining(period, work.now)) - (held(period, work.now) - taken.get(period.id, 0)),
        )
        for period in changed
    ]
    if not changed or difference(shares) > 0:
        return None
    versions = {period.id: (before[period.id].plan, before[period.id].plan_version) for period in changed}
    former = {period_id: plans.of_version(work.connection, *version) for period_id, version in versions.items()}
    return Former(change.id, {period_id: plan for period_id, plan in former.items() if plan is not None}, shares)


def _restore(
    work: UnitOfWork,
    subscription: Subscription,
    timetable: Timetable,
    former: Former,
    cause: Cause,
    *,
    is_shorter: bool,
) -> None:
    """Give each period its former plan. Its value beyond that plan's price becomes the user's credit."""
    plan_changes.reverse(work.connection, former.change_id, now=work.now)
    selling.supersede(work, subscription.user_id, (Purpose.RENEWAL, Purpose.UPGRADE))
    moving.free(work, subscription, former.shares, timetable.kept)
    restored = [evolve(period, plan=former.plans.get(period.id, period.plan)) for period in timetable.kept]
    moving.revalue(work, restored)
    present, last = restored[0].plan, restored[-1].plan
    scheduled = None if last.code == present.code else last
    facts = {**cause.facts, "previous_plan": subscription.plan.code}
    after = lifecycle.rescheduled(evolve(lifecycle.switched(subscription, present), scheduled_plan=scheduled), restored)
    record(
        work,
        subscription,
        after,
        Happening.PAYMENT_REVERSED,
        evolve(cause, facts=facts),
        tells=("subscription.downgraded", *(("subscription.shortened",) if is_shorter else ())),
    )
    boundaries.apply_due(work, subscription.id)


def _end(work: UnitOfWork, subscription: Subscription, timetable: Timetable, cause: Cause) -> None:
    ended = lifecycle.rescheduled(subscription, timetable.kept)
    selling.supersede(work, subscription.user_id, (Purpose.RENEWAL, Purpose.UPGRADE))
    if subscription.status is Status.CANCELLED:
        after = evolve(ended, entitled_until=work.now)
        # The clock writes the event `subscription.ended` at once.
        record(work, subscription, after, Happening.PAYMENT_REVERSED, cause, tells=())
    else:
        after = lifecycle.cancelled(ended, at_once=True, reason="refunded", now=work.now)
        record(work, subscription, after, Happening.CANCELLED, cause)
    boundaries.apply_due(work, subscription.id)


def _renew_again(work: UnitOfWork, subscription_id: int) -> None:
    """Make the superseded renewal again without the credit that went back, if the subscription can be renewed."""
    subscription = subscriptions.by_id(work.connection, subscription_id)
    if subscription is not None and subscription.status in (Status.ACTIVE, Status.PAST_DUE):
        renewing.reissue(work, subscription)


def _written(taken: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return what was taken as JSON shows it: `{"USD": {"period": "0.25", "credit": "0.25"}}`."""
    return {
        currency: {account: str(Money(minor, currency)) for account, minor in each.items()}
        for currency, each in taken.items()
    }
