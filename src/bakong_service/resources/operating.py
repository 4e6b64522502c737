"""What the service shows of itself: keys, audit, budget, promises, health, test mode."""

# ruff: noqa: E501 - a table: one member a line

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from attrs import field, frozen
from msgspec import UNSET, UnsetType

from bakong_khqr.money import Currency
from bakong_service.domain.allowance import Allowance
from bakong_service.domain.moment import moment
from bakong_service.domain.money import written
from bakong_service.domain.scope import SCOPES
from bakong_service.domain.watching import Mode
from bakong_service.resources.members import Moment, one_of, says, taken
from bakong_service.storage import audit
from bakong_service.storage.api_keys import ApiKey
from bakong_service.storage.checks import invariants

UnreadyReason = Literal["database_unavailable", "schema_not_at_head", "events_not_dispatched"]


@frozen(kw_only=True, slots=False)
class Key:
    """An API key, without its text."""

    object: Literal["key"] = "key"
    key_id: str = field(metadata=says("The id of the key: the part of its text that is no secret."))
    name: str = field(metadata=says("What people call it."))
    scopes: list[Annotated[str, one_of(*SCOPES)]] = field(metadata=says("What the key may do."))
    allowed_cidrs: list[str] = field(metadata=says("The networks that the key may be used from, such as `203.0.113.0/24`. None: from everywhere."))  # fmt: skip
    created_at: Moment = field(metadata=says("When it was made."))
    expires_at: Moment | None = field(metadata=says("Until when the key is good. Null: for ever."))
    revoked_at: Moment | None = field(metadata=says("When the key was revoked."))
    last_used_at: Moment | None = field(metadata=says("When the key was used last, to the minute."))

    @classmethod
    def of(cls, key: ApiKey, /, **more: Any) -> Self:
        """Return a key. Its text is shown once, when it is made."""
        return taken(cls, key, **more)


@frozen(kw_only=True, slots=False)
class KeyWithText(Key):
    """An API key with its text, which is shown this once: `null` in a repeated answer if the key is over by now."""

    key: str | None = field(repr=False, metadata=says("The text of the key. It is shown this once. Null in a repeated answer, if the key is over by now."))  # fmt: skip


@frozen(kw_only=True, slots=False)
class AuditEntry:
    """A line of the audit log."""

    object: Literal["audit_entry"] = "audit_entry"
    level: audit.Level = field(metadata=says("`SECURITY` for what concerns keys and refusals, else `INFO`."))
    action: str = field(metadata=says("What was done: `key.created`, `payment.cancelled` and so on."))
    actor: str = field(metadata=says("Who did it: `api:` and the id of a key, or the name of a worker."))
    ip: str | None = field(metadata=says("The address that the request came from. Null for what a worker or the command line did."))  # fmt: skip
    subject: str | None = field(metadata=says("The reference of what it is about."))
    details: dict[str, Any] = field(metadata=says("More about it; the members depend on what happened."))
    at: Moment = field(metadata=says("When it happened."))

    @classmethod
    def of(cls, entry: audit.AuditEntry) -> Self:
        """Return a line of the log."""
        return taken(cls, entry)


@frozen(kw_only=True, slots=False)
class Budget:
    """The day's calls to Bakong."""

    object: Literal["budget"] = "budget"
    day: str = field(metadata=says("The day in Phnom Penh."))
    limit: int | None = field(metadata=says("How many calls the service may make today. It is null where there is no limit."))  # fmt: skip
    used: int = field(metadata=says("How many calls were made today."))
    budget_remaining: int | None = field(metadata=says("How many calls are left today. It is null where there is no limit."))  # fmt: skip
    payments_affordable: int | None = field(metadata=says("For how many more payments the calls of today suffice. It is null where there is no limit."))  # fmt: skip
    blocked_until: Moment | None = field(metadata=says("Until when Bakong refuses every call. It is null while Bakong answers."))  # fmt: skip
    mode: Mode = field(metadata=says("How Bakong lets itself be asked: `bulk` fifty payments a call, `singles` one a call, `starved` with few calls left, `blocked` not at all."))  # fmt: skip
    mode_reason: str = field(metadata=says("Why."))
    mode_since: Moment | None = field(metadata=says("Since when. It is null while `mode` is `starved`."))

    @classmethod
    def of(cls, allowance: Allowance, *, mode: Mode, reason: str, since: datetime | None) -> Self:
        """Return the calls of a day, and how the watcher is asking."""
        return taken(
            cls,
            allowance,
            budget_remaining=allowance.remaining,
            mode=mode,
            mode_reason=reason,
            mode_since=moment(since),
        )


@frozen(kw_only=True, slots=False)
class Violation:
    """A row that breaks an invariant."""

    invariant: str = field(metadata=says("The name of the rule."))
    promise: str = field(metadata=says("What the rule says."))
    subject: str = field(metadata=says("The reference of what it is about."))
    found: str = field(metadata=says("What was found instead."))

    @classmethod
    def of(cls, violation: invariants.Violation) -> Self:
        """Return a row that breaks an invariant."""
        return taken(cls, violation)


@frozen(kw_only=True, slots=False)
class Verification:
    """Whether every invariant holds, and every row that breaks one."""

    object: Literal["verification"] = "verification"
    holds: bool = field(metadata=says("Whether every invariant holds."))
    violations: list[Violation] = field(metadata=says("Every row that breaks an invariant."))

    @classmethod
    def of(cls, violations: Iterable[invariants.Violation]) -> Self:
        """Return what a look at every invariant found."""
        found = [Violation.of(violation) for violation in violations]
        return cls(holds=not found, violations=found)


@frozen(kw_only=True, slots=False)
class Live:
    """The process answers."""

    status: Literal["live"] = field(default="live", metadata=says("How it stands."))


@frozen(kw_only=True, slots=False)
class ClockHealth:
    """How the service's clock stands against Bakong's."""

    trusted: bool = field(metadata=says("Whether the service relies on its clock."))
    bakong_ahead_seconds: float | None = field(metadata=says("How far Bakong's clock is ahead of the service's. It is null while nobody knows."))  # fmt: skip
    differs_from_bakong: bool = field(metadata=says("Whether the two clocks differ by so much that payments may be judged wrongly."))  # fmt: skip


@frozen(kw_only=True, slots=False)
class ProviderHealth:
    """How Bakong lets itself be asked, why, and since when."""

    mode: Mode = field(metadata=says("How Bakong lets itself be asked: `bulk` fifty payments a call, `singles` one a call, `starved` with few calls left, `blocked` not at all."))  # fmt: skip
    reason: str = field(metadata=says("Why."))
    since: Moment | None = field(metadata=says("Since when."))


@frozen(kw_only=True, slots=False)
class Ready:
    """The service can do its work. Everything but `status` is shown to a key with the scope `metrics` alone."""

    status: Literal["ready"] = field(default="ready", metadata=says("How it stands."))
    degraded: bool | UnsetType = field(default=UNSET, metadata=says("Whether payments are made but Bakong can't be asked as usual, or this process lacks an encryption key."))  # fmt: skip
    clock: ClockHealth | UnsetType = field(default=UNSET, metadata=says("How the service's clock stands against Bakong's."))  # fmt: skip
    provider: ProviderHealth | UnsetType = field(default=UNSET, metadata=says("How Bakong lets itself be asked, why, and since when."))  # fmt: skip
    facts: dict[str, float] | UnsetType = field(default=UNSET, metadata=says("Counts and ages in seconds, by name."))
    missing_encryption_keys: list[str] | UnsetType = field(default=UNSET, metadata=says("Ids of the encryption keys that another process seals with and this process lacks."))  # fmt: skip
    revision: str | UnsetType = field(default=UNSET, metadata=says("The version of the database's tables."))
    rate_limits: str | UnsetType = field(default=UNSET, metadata=says("Whether rates are counted for all processes together."))  # fmt: skip


@frozen(kw_only=True, slots=False)
class Unready:
    """The service can't do its work, and why."""

    status: Literal["unready"] = field(default="unready", metadata=says("How it stands."))
    reasons: list[UnreadyReason] = field(metadata=says("Everything that keeps the service from its work."))


@frozen(kw_only=True, slots=False)
class TestClock:
    """The test clock, after it was moved."""

    object: Literal["test_clock"] = "test_clock"
    now: Moment = field(metadata=says("What the test clock says."))
    offset_seconds: float = field(metadata=says("How far the test clock is ahead."))


@frozen(kw_only=True, slots=False)
class SimulatedPayment:
    """The transfer with which the simulator paid a payment."""

    object: Literal["simulated_payment"] = "simulated_payment"
    payment: str = field(metadata=says("The reference of the payment."))
    transaction_hash: str = field(metadata=says("The hash that Bakong knows the transfer by."))
    amount: str = field(metadata=says("What was sent, in major units."))
    currency: Currency = field(metadata=says("The currency of the amounts beside it."))
    to_account: str = field(metadata=says("The account that was paid."))
    sent_at: Moment = field(metadata=says("When the payer sent the money, as Bakong says."))

    @classmethod
    def of(cls, payment: str, transfer: Mapping[str, Any]) -> Self:
        """Return the transfer for the payment with this reference, from the simulator's answer."""
        return cls(
            payment=payment,
            transaction_hash=transfer["hash"],
            amount=written(Decimal(transfer["amount"]), transfer["currency"]),
            currency=Currency(transfer["currency"]),
            to_account=transfer["to_account_id"],
            sent_at=moment(datetime.fromtimestamp(transfer["created_at_ms"] / 1000, UTC)),
        )
