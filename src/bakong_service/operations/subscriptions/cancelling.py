"""Cancels a subscription, at the end of its paid time or at once, and resumes it."""

from bakong_khqr.money import Currency
from bakong_service.domain import lifecycle
from bakong_service.domain.moment import moment
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Purpose
from bakong_service.domain.subscription import Happening, Subscription, transition
from bakong_service.domain.value import held
from bakong_service.operations.ledger import moving
from bakong_service.operations.payments import issuing
from bakong_service.operations.subscriptions import boundaries
from bakong_service.operations.subscriptions.recording import Cause, record
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.resources import CancelPreview


def cancel(work: UnitOfWork, reference: str, *, at_once: bool, reason: str | None) -> Subscription:
    """Cancel a subscription (S11): at the end of its paid time, or at once. At once, the value of its periods is lost.

    Its open payments are cancelled. The watcher goes on looking, and an operator decides about money that comes later.
    `reason` is what the user said. Raises `NotFound`, and `Conflict` if it is cancelled already or has ended.
    """
    subscription = boundaries.hold(work, reference)
    transition(subscription, Happening.CANCELLED)
    issuing.cancel_open(
        work,
        user_id=subscription.user_id,
        purposes=(Purpose.RENEWAL, Purpose.UPGRADE),
        reason="subscription_cancelled",
        flag=None,
    )
    facts = {}
    if at_once:
        lost = moving.lose(work, subscription)
        currency = subscription.plan.price.currency
        facts = {"lost": str(Money(lost, currency)), "currency": currency}
    after = lifecycle.cancelled(subscription, at_once=at_once, reason=reason, now=work.now)
    cause = Cause(reason or "cancelled", facts)
    cancelled = record(work, subscription, after, Happening.CANCELLED, cause)
    return boundaries.apply_due(work, cancelled.id)


def preview(work: UnitOfWork, reference: str, *, at_once: bool) -> CancelPreview:
    """Return the value that `cancel` would lose, and until when the user would be served. Raises as `cancel` does."""
    subscription = boundaries.hold(work, reference)
    transition(subscription, Happening.CANCELLED)
    paid = moving.unserved(work, subscription) if at_once else []
    currency = subscription.plan.price.currency
    after = lifecycle.cancelled(subscription, at_once=at_once, reason=None, now=work.now)
    return CancelPreview(
        lost=str(Money(sum(held(period, work.now) for period in paid), currency)),
        currency=Currency(currency),
        entitled_until=moment(after.entitled_until),
    )


def resume(work: UnitOfWork, reference: str) -> Subscription:
    """Undo a cancellation (S12). Raises `NotFound`, and `Conflict` if it isn't cancelled or has ended."""
    subscription = boundaries.hold(work, reference)
    return record(work, subscription, lifecycle.resumed(subscription), Happening.RESUMED, Cause("resumed"))
