"""What answers look like, for the OpenAPI document. Nothing is made from these: a test holds real answers against them.

Amounts are texts in major units, moments ISO 8601 in UTC.
"""

from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Payment:
    """A payment. In lists and events it has no `qr` and no `links`."""

    object: str
    reference: str
    status: str
    flags: list[str]
    user_id: str | None
    purpose: str
    plan: str | None
    amount: str
    currency: str
    description: str | None
    metadata: dict[str, str]
    md5: str
    bill_number: str
    created_at: str
    qr_expires_at: str
    deadline_at: str
    paid_at: str | None
    late: bool
    subscription: str | None
    next_check_at: str | None
    next_check_reason: str | None
    version: int
    qr: str | None = None
    links: dict[str, str] | None = None


@frozen(kw_only=True)
class Change:
    """One change of a payment or subscription: what it was, what it became, why, and by whom."""

    object: str
    version: int
    old_status: str | None
    new_status: str
    reason: str
    actor: str
    event_type: str | None
    metadata: dict[str, Any]
    at: str


@frozen(kw_only=True)
class Receipt:
    """One sighting of money. `disposition`: applied, open, credited, refunded, rejected."""

    object: str
    transaction_hash: str
    amount: str
    currency: str
    to_account: str
    external_ref: str | None
    sent_at: str | None
    acknowledged_at: str | None
    seen_at: str
    disposition: str


@frozen(kw_only=True)
class Review:
    """Money that a person has to decide about."""

    object: str
    reference: str
    kind: str
    payment: str
    details: dict[str, Any]
    opened_at: str
    resolved_at: str | None
    action: str | None
    operator: str | None
    note: str | None


@frozen(kw_only=True)
class Period:
    """A period of a subscription."""

    number: int
    starts_at: str
    ends_at: str


@frozen(kw_only=True)
class Money:
    """An amount and its currency."""

    amount: str
    currency: str


@frozen(kw_only=True)
class Subscription:
    """A subscription. `entitled_until` answers whether to serve the user."""

    object: str
    entitled_until: str
    reference: str
    user_id: str
    status: str
    plan: str
    scheduled_plan: str | None
    current_period: Period
    paid_until: str
    cancelled_at: str | None
    cancel_reason: str | None
    created_at: str
    flags: list[str]
    open_payment: dict[str, Any] | None
    credit: Money
    version: int


@frozen(kw_only=True)
class Plan:
    """The newest version of a plan."""

    object: str
    code: str
    version: int
    name: str
    amount: str
    currency: str
    period_seconds: int
    created_at: str


@frozen(kw_only=True)
class Event:
    """An event, as webhooks bring it."""

    id: str
    type: str
    api_version: str
    timestamp: str
    subject: str
    sequence: int
    previous_status: str | None
    data: dict[str, Any]


@frozen(kw_only=True)
class Key:
    """An API key. `key` is its text, shown once."""

    object: str
    key_id: str
    name: str
    scopes: list[str]
    allowed_cidrs: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    key: str | None = None


@frozen(kw_only=True)
class AuditEntry:
    """A line of the audit log."""

    object: str
    level: str
    action: str
    actor: str
    ip: str | None
    subject: str | None
    details: dict[str, Any]
    at: str


@frozen(kw_only=True)
class Budget:
    """The day's calls to Bakong. Null where there is no limit; `mode_since` is null while `mode` is `starved`."""

    object: str
    day: str
    limit: int | None
    used: int
    budget_remaining: int | None
    payments_affordable: int | None
    blocked_until: str | None
    mode: str
    mode_reason: str
    mode_since: str | None


@frozen(kw_only=True)
class ProblemFault:
    """One thing that is wrong with a request, and where."""

    pointer: str
    code: str
    message: str


@frozen(kw_only=True)
class ProblemDocument:
    """RFC 9457. `code` is stable; `retryable` says whether the same request may go through later."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    timestamp: str
    retryable: bool
    errors: list[ProblemFault]


BY_NAME: dict[str, type[Any]] = {
    "payment": Payment,
    "change": Change,
    "receipt": Receipt,
    "review": Review,
    "subscription": Subscription,
    "plan": Plan,
    "event": Event,
    "key": Key,
    "key with text": Key,
    "audit_entry": AuditEntry,
    "budget": Budget,
}
