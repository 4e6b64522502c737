"""What the service shows of plans and subscriptions, and of what a change of them costs and moves."""

from typing import Annotated, Any, Literal, Self

from attrs import field, frozen

from bakong_khqr.money import Currency
from bakong_service.domain import money, payment, plan, subscription
from bakong_service.domain.moment import moment
from bakong_service.domain.payment import PaymentStatus, Purpose
from bakong_service.domain.subscription import PREPAID, Status
from bakong_service.domain.value import Share
from bakong_service.resources.members import Amount, Moment, one_of, says, taken
from bakong_service.resources.payments import PaymentWithQR


@frozen(kw_only=True, slots=False)
class Plan:
    """The newest version of a plan."""

    object: Literal["plan"] = "plan"
    code: str = field(metadata=says("The plan's code."))
    version: int = field(metadata=says("The number of this version of the plan. Another price is another version."))
    name: str = field(metadata=says("What people call it."))
    amount: Amount = field(metadata=says("An amount in major units, as text: `2.50`."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    period_seconds: int = field(metadata=says("How many seconds a period has."))
    on_sale: bool = field(metadata=says("Whether a user who doesn't have the plan can get it."))
    created_at: Moment = field(metadata=says("When it was made."))

    @classmethod
    def of(cls, plan: plan.Plan, *, on_sale: bool) -> Self:
        """Return a version of a plan."""
        return taken(
            cls,
            plan,
            amount=str(plan.price),
            currency=Currency(plan.price.currency),
            **plan.cadence.shown,
            on_sale=on_sale,
        )


@frozen(kw_only=True, slots=False)
class Period:
    """A period of a subscription."""

    number: int = field(metadata=says("The number of the period, from 1."))
    starts_at: Moment = field(metadata=says("When the period begins."))
    ends_at: Moment = field(metadata=says("When the period ends."))


@frozen(kw_only=True, slots=False)
class Money:
    """An amount and its currency."""

    amount: Amount = field(metadata=says("An amount in major units, as text: `2.50`."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))

    @classmethod
    def of(cls, money: money.Money) -> Self:
        """Return an amount and its currency."""
        return cls(amount=str(money), currency=Currency(money.currency))


@frozen(kw_only=True, slots=False)
class OpenPayment:
    """A payment of a subscription that waits to be paid."""

    reference: str = field(metadata=says("The service's own name for it."))
    purpose: Purpose = field(metadata=says("What the payment is for."))
    status: PaymentStatus = field(metadata=says("How it stands."))
    amount: Amount = field(metadata=says("An amount in major units, as text: `2.50`."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    qr_expires_at: Moment = field(metadata=says("Until when bank apps accept the QR."))
    deadline_at: Moment = field(metadata=says("Until when the payment has to be paid."))

    @classmethod
    def of(cls, payment: payment.Payment) -> Self:
        """Return an open payment."""
        return taken(cls, payment, amount=str(payment.amount), currency=Currency(payment.amount.currency))


@frozen(kw_only=True, slots=False)
class Subscription:
    """A subscription. `entitled_until` answers whether to serve the user."""

    object: Literal["subscription"] = "subscription"
    entitled_until: Moment = field(metadata=says("Until when to serve the user."))
    reference: str = field(metadata=says("The service's own name for it."))
    user_id: str = field(metadata=says("Your own id of the user, up to 64 characters."))
    status: Status = field(metadata=says("How it stands."))
    plan: str = field(metadata=says("The plan's code."))
    scheduled_plan: str | None = field(metadata=says("The plan that the next period is sold as, if it is another one."))
    current_period: Period = field(metadata=says("The period that runs now."))
    paid_until: Moment = field(metadata=says("Until when days are paid for."))
    cancelled_at: Moment | None = field(metadata=says("When the subscription was cancelled."))
    cancel_reason: str | None = field(metadata=says("Why the user cancelled, as the main backend gave it."))
    created_at: Moment = field(metadata=says("When it was made."))
    flags: list[Annotated[str, one_of(PREPAID)]] = field(metadata=says("What is to be known beside the status."))
    open_payment: OpenPayment | None = field(metadata=says("The payment that waits to be paid, if there is one."))
    credit: Money = field(metadata=says("What the user may spend, in the plan's currency."))
    version: int = field(metadata=says("A number that rises with each change."))

    @classmethod
    def of(
        cls,
        subscription: subscription.Subscription,
        *,
        open_payment: payment.Payment | None,
        credit: money.Money,
        **more: Any,
    ) -> Self:
        """Return a subscription. `credit` is what the user may spend in the plan's currency."""
        scheduled = subscription.scheduled_plan
        return taken(
            cls,
            subscription,
            plan=subscription.plan.code,
            scheduled_plan=None if scheduled is None else scheduled.code,
            current_period=Period(
                number=subscription.period_number,
                starts_at=moment(subscription.period_start),
                ends_at=moment(subscription.period_end),
            ),
            paid_until=moment(subscription.sold_until),
            open_payment=None if open_payment is None else OpenPayment.of(open_payment),
            credit=Money.of(credit),
            **more,
        )


@frozen(kw_only=True, slots=False)
class ChangedSubscription(Subscription):
    """A subscription after a change, and why it changed."""

    reason: str = field(metadata=says("Why."))


@frozen(kw_only=True, slots=False)
class GrantedCredit:
    """What an operator gave to a user, or removed (below zero), and the balance that the user may spend."""

    object: Literal["granted_credit"] = "granted_credit"
    reference: str = field(metadata=says("The service's own name for it."))
    user_id: str = field(metadata=says("Your own id of the user, up to 64 characters."))
    amount: Amount = field(metadata=says("An amount in major units, as text: `2.50`."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    balance: Amount = field(metadata=says("What the user may spend now."))


@frozen(kw_only=True, slots=False)
class PeriodShare:
    """What a change of plan puts into a period (above zero), or frees there (below zero)."""

    period: int = field(metadata=says("The number of the period."))
    amount: Amount = field(metadata=says("What is put into the period, or below zero what is freed there."))

    @classmethod
    def of(cls, share: Share, currency: str) -> Self:
        """Return a share as text in major units."""
        return cls(period=share.number, amount=str(money.Money(share.minor, currency)))


@frozen(kw_only=True, slots=False)
class Moves:
    """What a change of plan would move now."""

    periods: list[PeriodShare] = field(metadata=says("What is put into each period, or freed there."))
    from_payment: Amount = field(metadata=says("How much is to be paid by a QR."))
    from_credit: Amount = field(metadata=says("How much of the user's credit is spent."))
    to_credit: Amount = field(metadata=says("What becomes the user's credit."))
    waived: Amount = field(metadata=says("What the new plan costs more, and nobody pays."))
    lost: Amount = field(metadata=says("Value that nobody gets back, in major units."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))


@frozen(kw_only=True, slots=False)
class Quote:
    """What an upgrade costs, and of what that is made up."""

    from_plan: str = field(metadata=says("The plan that the user has."))
    from_version: int = field(metadata=says("The version of the plan that the user has."))
    to_plan: str = field(metadata=says("The plan that the user gets."))
    to_version: int = field(metadata=says("The version of the plan that the user gets."))
    remaining_seconds: int = field(metadata=says("How many seconds are left of what is paid."))
    proration: Amount = field(metadata=says("What the dearer plan costs more until the end of what is paid."))
    credit: Amount = field(metadata=says("How much of the user's credit pays for the upgrade."))
    amount: Amount = field(metadata=says("What is left to be paid."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    subscription_version: int = field(metadata=says("The version of the subscription that the quote is for."))
    period_number: int = field(metadata=says("The number of the present period."))
    last_paid_period: int = field(metadata=says("The number of the last period that is paid for."))
    paid_through: Moment = field(metadata=says("Until when the paid periods last."))
    shares: list[PeriodShare] = field(metadata=says("What is put into each period."))
    quoted_at: Moment = field(metadata=says("When the quote was made."))


@frozen(kw_only=True, slots=False)
class Upgrade:
    """An upgrade that was asked for. Without a `payment` nothing is to be paid: the plan has changed."""

    quote: Quote = field(metadata=says("What the upgrade costs, and of what that is made up."))
    subscription: Subscription = field(metadata=says("The subscription."))
    payment: PaymentWithQR | None = field(metadata=says("The payment to be paid; null where nothing is to be paid."))


@frozen(kw_only=True, slots=False)
class UpgradePreview(Quote):
    """What an upgrade would cost, and what it would move. Nothing of it is stored."""

    moves: Moves = field(metadata=says("What would move where."))


@frozen(kw_only=True, slots=False)
class DowngradePreview:
    """What a downgrade would move. Nothing of it is stored."""

    moves: Moves = field(metadata=says("What would move where."))


@frozen(kw_only=True, slots=False)
class CancelPreview:
    """What a cancelling would lose, and until when the user would be served. Nothing of it is stored."""

    lost: Amount = field(metadata=says("Value that nobody gets back, in major units."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    entitled_until: Moment = field(metadata=says("Until when to serve the user."))


@frozen(kw_only=True, slots=False)
class Renewal:
    """A renewal that was asked for. Without a `payment` nothing is to be paid: the user's credit paid for it."""

    subscription: Subscription = field(metadata=says("The subscription."))
    payment: PaymentWithQR | None = field(metadata=says("The payment to be paid; null where credit paid for it all."))
