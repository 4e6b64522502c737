"""The shop and the rules that it chose: durations and smallest amounts. Made once, from the settings."""

from datetime import timedelta

from attrs import Factory, frozen

from bakong_service.domain.delivery import SCHEDULES, Schedule
from bakong_service.domain.endpoint import TargetPolicy
from bakong_service.domain.money import LEAST


@frozen(kw_only=True)
class Shop:
    """The account that is paid. With both `acquiring_bank` and `merchant_id` its KHQR is a merchant's."""

    bakong_account_id: str
    merchant_name: str
    merchant_city: str = "Phnom Penh"
    merchant_name_km: str | None = None
    acquiring_bank: str | None = None
    merchant_id: str | None = None


@frozen(kw_only=True)
class PaymentPolicy:
    """How long a payment is open, counted from its creation, and how late its money may come."""

    qr_life: timedelta = timedelta(minutes=10)
    deadline: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(minutes=2)
    late_accept: timedelta = timedelta(minutes=15)  # after the deadline
    watch_for: timedelta = timedelta(hours=24)
    open_per_user: int = 5  # one-off payments
    hints_per_payment: int = 10
    return_urls: tuple[str, ...] = ()  # where payers may be sent back to


@frozen(kw_only=True)
class SubscriptionPolicy:
    """The grace of subscriptions, and the smallest amount that a QR asks for."""

    grace: timedelta = timedelta(days=3)  # 0: a subscription expires at the boundary
    least_charge: dict[str, int] = Factory(LEAST.copy)  # in minor units


@frozen(kw_only=True)
class WebhookPolicy:
    """Where events may be sent, and how often a delivery is tried."""

    targets: TargetPolicy = Factory(TargetPolicy)
    schedule: Schedule = SCHEDULES["default"]
