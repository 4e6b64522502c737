"""Changes the plan of a subscription.

An upgrade is paid and happens at once. A downgrade happens at the period's end, or at once and gives credit.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from attrs import evolve, frozen

from bakong_khqr.money import Currency
from bakong_service.domain.errors import Conflict
from bakong_service.domain.moment import moment
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Happening, Period, Subscription, transition
from bakong_service.domain.value import Charge, Share, difference, freed, shares
from bakong_service.operations.ledger import credit, moving
from bakong_service.operations.payments import issuing
from bakong_service.operations.subscriptions import boundaries, selling
from bakong_service.operations.subscriptions.plans import check_on_sale, unknown
from bakong_service.operations.subscriptions.purchases import check_comparable
from bakong_service.operations.subscriptions.recording import Cause, record
from bakong_service.operations.subscriptions.renewing import reissue
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import DowngradePreview, Moves, PeriodShare, Quote, UpgradePreview, plain
from bakong_service.storage.subscriptions import plans

Q = TypeVar("Q", bound=Quote)

_CHANGED_BY = (Purpose.RENEWAL, Purpose.UPGRADE)
"""A change of plan makes the amounts of open payments for these purposes wrong."""


@frozen(kw_only=True)
class Upgrade:
    """The price of an upgrade, the subscription, and the payment for it; None if nothing has to be paid."""

    quote: Quote
    subscription: Subscription
    payment: Payment | None


@frozen(kw_only=True)
class Reckoning:
    """What a change of plan would move now. Nothing of it is done yet."""

    subscription: Subscription
    plan: Plan
    paid: Sequence[Period]
    shares: Sequence[Share]
    charge: Charge
    waived: int  # minor units of the new plan's higher price that nobody pays
    gift: int  # minor units that go back to the shop, because they were its gift

    @property
    def freed(self) -> Money:
        """The credit that the user gets."""
        credit = sum(move.minor for move in freed(self.shares) if move.target is None)
        return Money(credit - self.gift, self.plan.price.currency)

    def moves(self) -> Moves:
        """Return what would move to which period, in major units. A change of plan loses no value."""
        currency = self.plan.price.currency
        return Moves(
            periods=_written(self.shares, currency) if self.charged or freed(self.shares) else [],
            from_payment=str(self.charge.amount),
            from_credit=str(self.charge.credit),
            to_credit=str(self.freed),
            waived=str(Money(self.waived, currency)),
            lost=str(Money(0, currency)),
            currency=Currency(currency),
        )

    @property
    def charged(self) -> bool:
        """Whether a payment or credit pays for the change."""
        return bool(self.charge.amount.minor or self.charge.credit.minor)


def preview_upgrade(work: UnitOfWork, reference: str, plan_code: str) -> UpgradePreview:
    """Return what an upgrade would cost and move now. Raises as `upgrade` does."""
    reckoned = _upgrade(work, reference, plan_code)
    return _quote(UpgradePreview, reckoned, work.now, moves=reckoned.moves())


def upgrade(work: UnitOfWork, reference: str, plan_code: str) -> Upgrade:
    """Quote an upgrade and make its payment (S5). If there is nothing to pay, change the plan at once (S8).

    Raises `NotFound`, `Invalid` for an unknown plan, and `Conflict` if the subscription's status doesn't allow it, or
    if the plan is withdrawn from sale, is the same, is cheaper, or can't be compared.
    """
    reckoned = _upgrade(work, reference, plan_code)
    subscription, quote = reckoned.subscription, _quote(Quote, reckoned, work.now)
    if reckoned.charge.amount.minor:
        payment = issuing.issue(
            work,
            user_id=subscription.user_id,
            purpose=Purpose.UPGRADE,
            plan=reckoned.plan,
            amount=reckoned.charge.amount,
            subscription_id=subscription.id,
            quote=plain(quote),
            credit_reserved=reckoned.charge.credit.minor,
        )
        return Upgrade(quote=quote, subscription=subscription, payment=payment)
    cause = Cause("nothing_to_charge", {"quote": plain(quote)})
    after = _change_at_once(work, reckoned, Happening.UPGRADE_FREE, cause)
    return Upgrade(quote=quote, subscription=after, payment=None)


def preview_downgrade(work: UnitOfWork, reference: str, plan_code: str, *, at_once: bool) -> DowngradePreview:
    """Return what a downgrade would move now. At the period's end nothing moves. Raises as `downgrade` does."""
    subscription, plan, _ = _downgrade(work, reference, plan_code, at_once=at_once)
    if at_once:
        return DowngradePreview(moves=_reckon(work, subscription, plan, dearer=False).moves())
    nothing = Charge(Money(0, plan.price.currency), Money(0, plan.price.currency))
    reckoned = Reckoning(subscription=subscription, plan=plan, paid=(), shares=(), charge=nothing, waived=0, gift=0)
    return DowngradePreview(moves=reckoned.moves())


def downgrade(work: UnitOfWork, reference: str, plan_code: str, *, at_once: bool) -> Subscription:
    """Change to a plan that doesn't cost more: from the next unpaid period on (S9), or at once for credit (S10).

    Without `at_once`, the subscription's present plan removes a scheduled change. Raises as `upgrade` does, but for a
    plan that costs more.
    """
    subscription, plan, withdrawn = _downgrade(work, reference, plan_code, at_once=at_once)
    if at_once:
        reckoned = _reckon(work, subscription, plan, dearer=False)
        facts = {
            "earned": str(reckoned.freed),
            "currency": plan.price.currency,
            "from_plan": subscription.plan.code,
            "to_plan": plan.code,
        }
        cause = Cause("downgraded", facts)
        return _change_at_once(work, reckoned, Happening.DOWNGRADE_NOW, cause)
    cause = Cause("downgrade_withdrawn" if withdrawn else "downgrade_scheduled")
    after = evolve(subscription, scheduled_plan=None if withdrawn else plan)
    if selling.supersede(work, subscription.user_id, (Purpose.RENEWAL,)):
        reissue(work, after)
    return record(work, subscription, after, Happening.DOWNGRADE_SCHEDULED, cause)


def _upgrade(work: UnitOfWork, reference: str, plan_code: str) -> Reckoning:
    subscription = boundaries.hold(work, reference)
    transition(subscription, Happening.UPGRADE_QUOTED)
    plan = _plan(work, subscription, plan_code)
    check_comparable(subscription, plan)
    _check_direction(subscription, plan, cheaper=False)
    return _reckon(work, subscription, plan, dearer=True)


def _downgrade(work: UnitOfWork, reference: str, plan_code: str, *, at_once: bool) -> tuple[Subscription, Plan, bool]:
    """Return the subscription, the plan, and whether this removes a scheduled change. Raises as `downgrade` does."""
    subscription = boundaries.hold(work, reference)
    transition(subscription, Happening.DOWNGRADE_NOW if at_once else Happening.DOWNGRADE_SCHEDULED)
    plan = _plan(work, subscription, plan_code)
    check_comparable(subscription, plan)
    withdrawn = not at_once and plan.code == subscription.plan.code and subscription.scheduled_plan is not None
    if withdrawn and subscription.periods_ahead:
        raise _already_paid(subscription)
    if not withdrawn:
        _check_direction(subscription, plan, cheaper=True)
    if at_once and any(period.plan.code != subscription.plan.code for period in moving.unserved(work, subscription)):
        raise _already_paid(subscription)
    return subscription, plan, withdrawn


def _reckon(work: UnitOfWork, subscription: Subscription, plan: Plan, *, dearer: bool) -> Reckoning:
    """Return what a change to `plan` moves. Only a dearer plan is charged: else, a difference above zero is waived."""
    paid = moving.unserved(work, subscription)
    changes = shares(paid, plan, work.now)
    price = Money(max(0, difference(changes)) if dearer else 0, plan.price.currency)
    charge = credit.split(work, subscription.user_id, price, Purpose.UPGRADE)
    if not charge.amount.minor:
        # A change at once supersedes the open renewal, so the credit that was set aside for the renewal pays first.
        charge = credit.split(work, subscription.user_id, price, *_CHANGED_BY)
    waived = max(0, difference(changes)) - charge.amount.minor - charge.credit.minor
    gift = moving.freed_gift(work, changes, paid)
    return Reckoning(
        subscription=subscription, plan=plan, paid=paid, shares=changes, charge=charge, waived=waived, gift=gift
    )


def _change_at_once(work: UnitOfWork, reckoned: Reckoning, happening: Happening, cause: Cause) -> Subscription:
    subscription = reckoned.subscription
    # This comes first, because it returns the credit of an open renewal, which is spent here.
    selling.supersede(work, subscription.user_id, _CHANGED_BY)
    moving.serve(work, subscription)
    if reckoned.charge.credit.minor:
        moving.pay_with_credit(work, subscription, reckoned.shares, reckoned.paid, reckoned.charge.credit)
    else:
        moving.free(work, subscription, reckoned.shares, reckoned.paid)
    return selling.switch(
        work, subscription, plan=reckoned.plan, waived=reckoned.waived, payment=None, happening=happening, cause=cause
    )


def _quote(kind: type[Q], reckoned: Reckoning, now: datetime, **more: Any) -> Q:
    subscription, plan, charge = reckoned.subscription, reckoned.plan, reckoned.charge
    return kind(
        from_plan=subscription.plan.code,
        from_version=subscription.plan.version,
        to_plan=plan.code,
        to_version=plan.version,
        remaining_seconds=max(subscription.paid_through - now, timedelta(0)) // timedelta(seconds=1),
        proration=str(Money(max(0, difference(reckoned.shares)), plan.price.currency)),
        credit=str(charge.credit),
        amount=str(charge.amount),
        currency=Currency(plan.price.currency),
        subscription_version=subscription.version,
        period_number=subscription.period_number,
        last_paid_period=subscription.last_paid_period,
        paid_through=moment(subscription.paid_through),
        shares=_written(reckoned.shares, plan.price.currency),
        quoted_at=moment(now),
        **more,
    )


def _written(changes: Sequence[Share], currency: str) -> list[PeriodShare]:
    return [PeriodShare.of(share, currency) for share in changes]


def _already_paid(subscription: Subscription) -> Conflict:
    return Conflict("already_paid", f"the next period of {subscription.reference} is paid already, for another plan")


def _plan(work: UnitOfWork, subscription: Subscription, code: str) -> Plan:
    plan = plans.latest(work.connection, code)
    if plan is None:
        raise unknown(work, code)
    if code != subscription.plan.code:  # the user keeps the present plan, even if it is withdrawn from sale
        check_on_sale(work, plan)
    return plan


def _check_direction(subscription: Subscription, plan: Plan, *, cheaper: bool) -> None:
    current = subscription.plan
    if plan.code == current.code:
        raise Conflict("same_plan", f"{subscription.reference} has the plan {current.code} already")
    if (plan.price.minor <= current.price.minor) is not cheaper:
        way, relation = ("upgrade", "costs more") if cheaper else ("downgrade", "doesn't cost more")
        path = f"POST /v1/subscriptions/{subscription.reference}/{way}"
        raise Conflict(f"{way}_instead", f"{plan.code} {relation} than {current.code}: {path}")
