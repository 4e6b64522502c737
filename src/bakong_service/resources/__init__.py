"""What the service shows: one class for each thing, the same in answers, events, commands and the OpenAPI document.

Operations, web and the command line make a resource of the domain's values with `of`. Its members hold what is shown:
texts that `domain.money` and `domain.moment` have written, numbers, enums and other resources. `writing` makes JSON of
it, and `web/http/schemas.py` makes a schema of its class.

A class has no slots: without them msgspec writes the members in the order of their declaration, the inherited first.
"""

# ruff: noqa: I001 - the names stand in rows
# fmt: off
from bakong_service.resources.answers import Listing, ProblemDocument, ProblemFault
from bakong_service.resources.links import Link
from bakong_service.resources.operating import (
    AuditEntry, Budget, ClockHealth, Key, KeyWithText, Live, ProviderHealth, Ready, SimulatedPayment, TestClock,
    Unready, Verification, Violation,
)
from bakong_service.resources.payments import (
    Change, CheckedPayment, Checks, Deeplink, Notice, Payment, PaymentForPayer, PaymentLinks, PaymentWithQR,
    PaymentWithValue, Receipt, RefundedPayment, Review, Value, ValueInCurrency,
)
from bakong_service.resources.reports import TakingsLine, TakingsReport
from bakong_service.resources.subscriptions import (
    CancelPreview, ChangedSubscription, DowngradePreview, GrantedCredit, Money, Moves, OpenPayment, Period,
    PeriodShare, Plan, Quote, Renewal, Subscription, Upgrade, UpgradePreview,
)
from bakong_service.resources.webhooks import (
    FAMILIES, Attempt, DeletedEndpoint, Delivery, DeliveryWithAttempts, Endpoint, EndpointWithSecret, Event,
    EventReference, Family, Replay,
)
from bakong_service.resources.writing import encode, plain

__all__ = [
    "FAMILIES", "Attempt", "AuditEntry", "Budget", "CancelPreview", "Change", "ChangedSubscription", "CheckedPayment",
    "Checks", "ClockHealth", "Deeplink", "DeletedEndpoint", "Delivery", "DeliveryWithAttempts", "DowngradePreview",
    "Endpoint", "EndpointWithSecret", "Event", "EventReference", "Family", "GrantedCredit", "Key", "KeyWithText",
    "Link", "Listing", "Live", "Money", "Moves", "Notice", "OpenPayment", "Payment", "PaymentForPayer",
    "PaymentLinks", "PaymentWithQR", "PaymentWithValue", "Period", "PeriodShare", "Plan", "ProblemDocument",
    "ProblemFault", "ProviderHealth", "Quote", "Ready", "Receipt", "RefundedPayment", "Renewal", "Replay", "Review",
    "SimulatedPayment", "Subscription", "TakingsLine", "TakingsReport", "TestClock", "Unready", "Upgrade",
    "UpgradePreview", "Value", "ValueInCurrency", "Verification", "Violation", "encode", "plain",
]
# fmt: on
