"""The shop and the rules it chose: durations, least amounts. Set once, from the settings."""

from datetime import timedelta

from attrs import Factory, frozen

from bakong_service.domain.delivery import SCHEDULES, Schedule
from bakong_service.domain.endpoint import TargetPolicy


@frozen(kw_only=True)
class Shop:
    """Who is paid. `acquiring_bank` and `merchant_id` together make the KHQR a merchant's."""

    bakong_account_id: str
    merchant_name: str
    merchant_city: str = "Phnom Penh"
    merchant_name_km: str | None = None
    acquiring_bank: str | None = None
    merchant_id: str | None = None


@frozen(kw_only=True)
class PaymentPolicy:
    """How long a payment lives, from its creation on, and how late its money may come."""

    qr_life: timedelta = timedelta(minutes=10)
    deadline: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(minutes=2)
    late_accept: timedelta = timedelta(minutes=15)  # after the deadline
    watch_for: timedelta = timedelta(hours=24)
    open_per_user: int = 5  # one-off payments
    hints_per_payment: int = 10


@frozen(kw_only=True)
class SubscriptionPolicy:
    """How subscriptions end and what is too little to ask for."""

    grace: timedelta = timedelta(days=3)  # 0: expired at the boundary
    least_charge: dict[str, int] = Factory(lambda: {"USD": 1, "KHR": 100})  # minor units


@frozen(kw_only=True)
class WebhookPolicy:
    """Where events may be sent, and how often a delivery is tried."""

    targets: TargetPolicy = Factory(TargetPolicy)
    schedule: Schedule = SCHEDULES["default"]
