"""Every table, the same on SQLite and PostgreSQL. The meaning of each column is written only here.

Conventions: the service makes each `id` (`domain.identifiers`), so inserts need no RETURNING. `reference` is the public
name. Money is whole minor units (cents, riel) beside a `currency`. The vault seals `*_enc` columns. A row that changes
has a `version`. A row that workers claim has `next_*_at`, `lease_until` and `fence`.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bakong_service.domain.money import EXPONENTS
from bakong_service.storage.engine.columns import Exact, Json, Moment, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

EPOCH = text("0")
CURRENCY = f"currency IN ({', '.join(repr(currency) for currency in EXPONENTS)})"

plans = Table(
    "plans",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("cadence", Text, nullable=False),  # a duration of ISO 8601
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("code", "version"),
    CheckConstraint("price_minor > 0", "price_positive"),
    CheckConstraint(CURRENCY, "currency"),
)

withdrawn_plans = Table(
    "withdrawn_plans",  # plans that aren't sold any more; the audit log says who withdrew them
    metadata,
    Column("code", Text, primary_key=True),
    Column("withdrawn_at", Moment, nullable=False),
)

payments = Table(
    "payments",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False, unique=True),
    Column("bill_number", Text, nullable=False, unique=True),
    Column("md5", Text, nullable=False, unique=True),
    Column("user_id", Text),
    Column("purpose", Text, nullable=False),
    Column("plan", Text),
    Column("plan_version", Integer),
    Column("subscription_id", BigInteger),
    Column("quote", Json),  # the quote of an upgrade, which never changes
    Column("description", Text),
    Column("metadata", Json),  # the caller's own data, returned and never read
    Column("return_urls", Json),  # where the payer's page leads back to
    Column("replaces", Text, unique=True),  # the reference of the payment whose code expired
    Column("link", Text),  # the reference of the link that it was made by
    Column("amount", BigInteger, nullable=False),  # minor units, what the QR asks for
    Column("currency", Text, nullable=False),
    Column("credit_reserved", BigInteger, nullable=False, server_default=EPOCH),
    Column("to_account", Text, nullable=False),  # the shop's account when the payment was made
    Column("qr_enc", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("flags", Words, nullable=False, server_default=""),
    Column("version", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("qr_expires_at", Moment, nullable=False),
    Column("deadline_at", Moment, nullable=False),
    Column("watch_until", Moment, nullable=False),
    Column("paid_at", Moment),  # when the payer sent the money, as Bakong says
    # The rest is for the watcher.
    Column("next_check_at", Moment),
    Column("next_check_reason", Text),
    Column("priority", Integer, nullable=False, server_default=text("2")),
    Column("lease_until", BigInteger, nullable=False, server_default=EPOCH),  # microseconds
    Column("fence", BigInteger, nullable=False, server_default=EPOCH),
    Column("checks", Integer, nullable=False, server_default=EPOCH),
    Column("no_answers", Integer, nullable=False, server_default=EPOCH),  # in a row
    Column("last_check_at", Moment),
    Column("last_outcome", Text),
    Column("last_conclusive_at", Moment),
    Column("failed_at", Moment),  # first "transaction failed"
    Column("unreadable", Integer, nullable=False, server_default=EPOCH),
    Column("hint_at", Moment),
    Column("hints", Integer, nullable=False, server_default=EPOCH),
    Column("viewed_at", Moment),  # a page with the QR was open then
    CheckConstraint("amount > 0", "amount_positive"),
    CheckConstraint(CURRENCY, "currency"),
    CheckConstraint(
        "status IN ('pending', 'paid', 'review', 'timeout', 'failed', 'cancelled', 'expired', 'refunded')", "status"
    ),
    CheckConstraint("purpose IN ('new', 'renewal', 'upgrade', 'one_off')", "purpose"),
    CheckConstraint("purpose = 'one_off' OR (user_id IS NOT NULL AND plan IS NOT NULL)", "plan_payment_has_a_plan"),
)
Index(
    "uq_payments_one_open_per_purpose",
    payments.c.user_id,
    payments.c.purpose,
    unique=True,
    sqlite_where=text("status = 'pending' AND purpose <> 'one_off'"),
    postgresql_where=text("status = 'pending' AND purpose <> 'one_off'"),
)
Index(
    "ix_payments_due",
    payments.c.priority,
    payments.c.next_check_at,
    sqlite_where=payments.c.next_check_at.is_not(None),
    postgresql_where=payments.c.next_check_at.is_not(None),
)
Index("ix_payments_user", payments.c.user_id, payments.c.id)
Index(
    "ix_payments_open_of_user",
    payments.c.user_id,
    sqlite_where=text("status = 'pending'"),
    postgresql_where=text("status = 'pending'"),
)

Index(
    "ix_payments_link",
    payments.c.link,
    sqlite_where=payments.c.link.is_not(None),
    postgresql_where=payments.c.link.is_not(None),
)

Index(
    "ix_payments_plan",
    payments.c.plan,
    payments.c.id,
    sqlite_where=payments.c.plan.is_not(None),
    postgresql_where=payments.c.plan.is_not(None),
)
Index("ix_payments_amount", payments.c.amount, payments.c.currency, payments.c.id)
Index(
    "ix_payments_paid",
    payments.c.paid_at,
    sqlite_where=payments.c.paid_at.is_not(None),
    postgresql_where=payments.c.paid_at.is_not(None),
)
Index(
    "ix_payments_flagged",
    payments.c.id,
    sqlite_where=text("flags <> ''"),
    postgresql_where=text("flags <> ''"),
)

payment_metadata = Table(
    "payment_metadata",  # the callers' own data once more, by name and value, so that a list finds it
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("payment_id", BigInteger, ForeignKey("payments.id"), primary_key=True),
)

links = Table(
    "links",  # addresses that sell one thing
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False, unique=True),
    Column("code", Text, nullable=False, unique=True),
    Column("amount", BigInteger),  # minor units, for a fixed price
    Column("least", BigInteger),  # minor units, where the payer enters the amount
    Column("most", BigInteger),
    Column("currency", Text),
    Column("plan", Text),
    Column("user_id", Text),
    Column("description", Text),
    Column("metadata", Json),
    Column("max_uses", Integer),
    Column("expires_at", Moment),
    Column("opened", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("closed_at", Moment),
    CheckConstraint("currency IS NULL OR " + CURRENCY, "currency"),
    CheckConstraint("amount > 0 AND least > 0 AND most >= least", "amounts_positive"),
)

receipts = Table(
    "receipts",  # facts that money came; only their disposition changes
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", Text, nullable=False),
    Column("tx_hash", Text, nullable=False),
    Column("payment_id", BigInteger, ForeignKey("payments.id"), nullable=False),
    Column("amount", Text, nullable=False),  # exactly as Bakong wrote it, in major units
    Column("amount_minor", BigInteger),  # the same in minor units; none if it isn't whole
    Column("currency", Text, nullable=False),
    Column("to_account", Text, nullable=False),
    Column("from_account_enc", LargeBinary),
    Column("external_ref", Text),
    Column("sent_at", Moment),
    Column("acknowledged_at", Moment),
    Column("seen_at", Moment, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("raw_enc", LargeBinary),
    UniqueConstraint("provider", "tx_hash"),
    CheckConstraint("disposition IN ('applied', 'open', 'credited', 'refunded', 'rejected')", "disposition"),
)
Index("ix_receipts_payment", receipts.c.payment_id)
Index("ix_receipts_seen", receipts.c.seen_at)

review_items = Table(
    "review_items",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("payment_id", BigInteger, ForeignKey("payments.id"), nullable=False),
    Column("receipt_id", BigInteger, ForeignKey("receipts.id")),
    Column("details", Json),  # expected and seen
    Column("raw_enc", LargeBinary),  # an answer that couldn't be read
    Column("opened_at", Moment, nullable=False),
    Column("resolved_at", Moment),
    Column("action", Text),
    Column("operator", Text),
    Column("note", Text),
)
Index(
    "uq_review_items_open_receipt",
    review_items.c.receipt_id,
    unique=True,
    sqlite_where=text("resolved_at IS NULL AND receipt_id IS NOT NULL"),
    postgresql_where=text("resolved_at IS NULL AND receipt_id IS NOT NULL"),
)
Index(
    "ix_review_items_open",
    review_items.c.id,
    sqlite_where=text("resolved_at IS NULL"),
    postgresql_where=text("resolved_at IS NULL"),
)
Index("ix_review_items_payment", review_items.c.payment_id)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False, unique=True),
    Column("user_id", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("plan_version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("flags", Words, nullable=False, server_default=""),
    Column("version", Integer, nullable=False),
    Column("anchor_at", Moment, nullable=False),
    Column("period_number", Integer, nullable=False),
    Column("period_end", Moment, nullable=False),
    Column("entitled_until", Moment, nullable=False),
    Column("scheduled_plan", Text),
    Column("scheduled_plan_version", Integer),
    Column("cancelled_at", Moment),
    Column("cancel_reason", Text),
    Column("created_at", Moment, nullable=False),
    Column("next_action_at", Moment),
    Column("next_action", Text),
    Column("lease_until", BigInteger, nullable=False, server_default=EPOCH),
    CheckConstraint("status IN ('active', 'past_due', 'cancelled', 'expired')", "status"),
)
Index(
    "uq_subscriptions_one_live_per_user",
    subscriptions.c.user_id,
    unique=True,
    sqlite_where=text("status IN ('active', 'past_due', 'cancelled')"),
    postgresql_where=text("status IN ('active', 'past_due', 'cancelled')"),
)
Index(
    "ix_subscriptions_due",
    subscriptions.c.next_action_at,
    sqlite_where=subscriptions.c.next_action_at.is_not(None),
    postgresql_where=subscriptions.c.next_action_at.is_not(None),
)
Index("ix_subscriptions_user", subscriptions.c.user_id, subscriptions.c.id)
Index("ix_subscriptions_period_end", subscriptions.c.period_end)

subscription_periods = Table(
    "subscription_periods",  # what a period holds is in the ledger, on the account of its id
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("subscription_id", BigInteger, ForeignKey("subscriptions.id"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("plan", Text, nullable=False),
    Column("plan_version", Integer, nullable=False),
    Column("payment_id", BigInteger, ForeignKey("payments.id"), unique=True),  # none if credit paid the whole price
    Column("value", Exact, nullable=False),  # the exact minor units that it held at `valued_at`
    Column("valued_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("reversed_at", Moment),  # a refund emptied it before it began; its number may be sold again
)
Index(
    "uq_subscription_periods_number",
    subscription_periods.c.subscription_id,
    subscription_periods.c.n,
    unique=True,
    sqlite_where=subscription_periods.c.reversed_at.is_(None),
    postgresql_where=subscription_periods.c.reversed_at.is_(None),
)

effects = Table(
    "effects",  # what a paid payment did; the key keeps it from happening twice
    metadata,
    Column("payment_id", BigInteger, ForeignKey("payments.id"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("target", Text),
    Column("at", Moment, nullable=False),
)

plan_changes = Table(
    "plan_changes",  # every immediate change of plan, and each period before it, for a refund that takes it back
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("subscription_id", BigInteger, ForeignKey("subscriptions.id"), nullable=False),
    Column("subscription_version", Integer, nullable=False),  # the version that the change made
    Column("payment_id", BigInteger, ForeignKey("payments.id")),  # none if nothing had to be paid
    Column("before", Json, nullable=False),
    Column("waived", BigInteger, nullable=False),  # minor units that nobody paid; not a value of the ledger
    Column("at", Moment, nullable=False),
    Column("reversed_at", Moment),
    UniqueConstraint("subscription_id", "subscription_version"),
)

ledger_entries = Table(
    "ledger_entries",  # value that moved from one account to another; append-only
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("from_account", Text, nullable=False),
    Column("from_holder", Text, nullable=False),
    Column("to_account", Text, nullable=False),
    Column("to_holder", Text, nullable=False),
    Column("origin", Text, nullable=False),  # receipt:<id> or gift:<reference>
    Column("minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cause", Text, nullable=False),  # the reference of the cause: pay_…, sub_…, rev_…, gift_…
    Column("at", Moment, nullable=False),
    CheckConstraint("minor > 0", "moves_something"),
    CheckConstraint("from_account <> to_account OR from_holder <> to_holder", "moves_somewhere"),
    CheckConstraint(CURRENCY, "currency"),
)
Index("ix_ledger_entries_origin", ledger_entries.c.origin)

ledger_balances = Table(
    "ledger_balances",  # the sums of the entries; only `outside` and `gift` may be negative
    metadata,
    Column("account", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("minor", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),  # the order in which the origins came into the account
    CheckConstraint("minor >= 0 OR account IN ('outside', 'gift')", "not_overdrawn"),
    CheckConstraint(CURRENCY, "currency"),
)
Index("ix_ledger_balances_origin", ledger_balances.c.origin)


def _history(name: str, subject: Table) -> Table:
    """Return the table of the changes of `subject`. A line is written before its change; a trigger requires that."""
    return Table(
        name,
        metadata,
        Column("subject_id", BigInteger, ForeignKey(subject.c.id), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("old_status", Text),
        Column("new_status", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("actor", Text, nullable=False),
        Column("event_type", Text),  # the type of its event, if it has one
        Column("metadata", Json),
        Column("at", Moment, nullable=False),
    )


payment_history = _history("payment_history", payments)
subscription_history = _history("subscription_history", subscriptions)

events = Table(
    "events",  # the outbox and the feed
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),  # a reference: pay_…, sub_…, we_…
    Column("subject_seq", Integer, nullable=False),
    Column("previous_status", Text),
    Column("payload", Json, nullable=False),  # `data` of the public shape
    Column("created_at", Moment, nullable=False),
    Column("feed_pos", BigInteger),  # the dispatcher gives it after the commit
    UniqueConstraint("subject", "subject_seq"),
)
Index(
    "uq_events_feed_pos",
    events.c.feed_pos,
    unique=True,
    sqlite_where=events.c.feed_pos.is_not(None),
    postgresql_where=events.c.feed_pos.is_not(None),
)
Index(
    "ix_events_undispatched",
    events.c.id,
    sqlite_where=events.c.feed_pos.is_(None),
    postgresql_where=events.c.feed_pos.is_(None),
)

restores = Table(
    "restores",  # each began a new epoch of the feed, after the database had been restored from a backup
    metadata,
    Column("epoch", Text, primary_key=True),  # 16 hex digits, random: the feed's cursors name it
    Column("since", Moment, nullable=False, unique=True),  # the moment of the backup: what is newer may be lost
    Column("begun_at", Moment, nullable=False),
    Column("after_position", BigInteger, nullable=False),  # the last place of the feed that is older than `since`
    Column("first_sequence", Integer, nullable=False),  # greater than any number that a receiver may know
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False, unique=True),
    Column("name", Text, unique=True),  # "default" is WEBHOOK_URL's, changed only by settings
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("event_types", Words, nullable=False, server_default=""),  # empty: all
    Column("state", Text, nullable=False),
    Column("disabled_reason", Text),
    Column("version", Integer, nullable=False),
    Column("listening_since", Moment, nullable=False),  # events from then on match `event_types`
    Column("failing_since", Moment),
    Column("failures", Integer, nullable=False, server_default=EPOCH),  # attempts that failed in a row
    Column("created_at", Moment, nullable=False),
    CheckConstraint("state IN ('enabled', 'disabled', 'deleted')", "state"),
)

endpoint_secrets = Table(
    "endpoint_secrets",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("endpoint_id", BigInteger, ForeignKey("endpoints.id"), nullable=False),
    Column("secret_enc", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),  # none for the newest; after a rotation the older ones end
)
Index("ix_endpoint_secrets_endpoint", endpoint_secrets.c.endpoint_id)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False, unique=True),
    Column("event_id", BigInteger, ForeignKey("events.id"), nullable=False),
    Column("endpoint_id", BigInteger, ForeignKey("endpoints.id"), nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_seq", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("replay", Integer, nullable=False, server_default=EPOCH),  # n: the nth replay, outside the order
    Column("attempts", Integer, nullable=False, server_default=EPOCH),
    Column("next_attempt_at", Moment),  # none: an earlier event of the subject comes first. Claimed: the lease's end
    Column("lease_until", BigInteger, nullable=False, server_default=EPOCH),
    Column("fence", BigInteger, nullable=False, server_default=EPOCH),
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    UniqueConstraint("event_id", "endpoint_id", "replay"),
    CheckConstraint("state IN ('pending', 'delivered', 'failed', 'cancelled')", "state"),
)
Index("ix_deliveries_endpoint", deliveries.c.endpoint_id, deliveries.c.id)
Index(
    "ix_deliveries_due",
    deliveries.c.endpoint_id,
    deliveries.c.next_attempt_at,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)
Index(
    "ix_deliveries_order",
    deliveries.c.subject,
    deliveries.c.endpoint_id,
    deliveries.c.subject_seq,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("delivery_id", BigInteger, ForeignKey("deliveries.id"), nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("duration_ms", Integer, nullable=False),
    Column("response", Text),  # at most 2 kB
    Column("at", Moment, nullable=False),
)
Index("ix_delivery_attempts_delivery", delivery_attempts.c.delivery_id)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("family", Text, primary_key=True),  # of the caller's API key: its successors find the answer
    Column("route", Text, primary_key=True),  # method and path template
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),  # SHA-256 of the canonical body
    Column("status", Integer, nullable=False),
    Column("body_enc", LargeBinary, nullable=False),
    Column("expires_at", Moment, nullable=False),
)
Index("ix_idempotency_keys_expires", idempotency_keys.c.expires_at)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("id", BigInteger, nullable=False, unique=True),  # the place of the key in the list
    Column("family", Text, nullable=False),  # the id of the first key, from which rotations led to this one
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # HMAC-SHA256(pepper, secret)
    Column("proof", Text, nullable=False),  # keyed hash of the row, without `last_used_at`
    Column("scopes", Words, nullable=False),
    Column("allowed_cidrs", Words, nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("last_used_at", Moment),
)

provider_budget = Table(
    "provider_budget",
    metadata,
    Column("day", Text, primary_key=True),  # YYYY-MM-DD in Asia/Phnom_Penh
    Column("limit", Integer),  # none: no limit
    Column("used", Integer, nullable=False, server_default=EPOCH),
    Column("blocked_until", Moment),  # Bakong said the quota is spent
    CheckConstraint('used >= 0 AND ("limit" IS NULL OR used <= "limit")', "within_limit"),
)

provider_token = Table(
    "provider_token",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("token_enc", LargeBinary, nullable=False),
    Column("source_index", Text, nullable=False),  # blind index of the setting it was renewed from
    Column("expires_at", Moment),
    Column("lease_until", BigInteger, nullable=False, server_default=EPOCH),
    Column("fence", BigInteger, nullable=False, server_default=EPOCH),
    CheckConstraint("id = 1", "one_row"),
)

provider_mode = Table(
    "provider_mode",  # what the watcher last learnt of Bakong, so that a restart needn't learn it again
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("mode", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("probe_at", Moment),
    Column("details", Json),
    CheckConstraint("id = 1", "one_row"),
)

provider_clock = Table(
    "provider_clock",  # what the processes last found about the clocks, so that each can say so
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("skew_microseconds", BigInteger),  # how far Bakong's clock is ahead of ours
    Column("distrusted_at", Moment),  # when a process last found that its own clock can't be believed
    CheckConstraint("id = 1", "one_row"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("level", Text, nullable=False),  # INFO or SECURITY
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("ip", Text),
    Column("subject", Text),
    Column("details", Json),
    Column("at", Moment, nullable=False),
    Column("number", BigInteger),  # a worker gives it after the commit: 1, 2, 3 ... without a gap
)
Index("ix_audit_log_subject", audit_log.c.subject)
Index(
    "uq_audit_log_number",
    audit_log.c.number,
    unique=True,
    sqlite_where=audit_log.c.number.is_not(None),
    postgresql_where=audit_log.c.number.is_not(None),
)
Index(
    "ix_audit_log_unnumbered",
    audit_log.c.id,
    sqlite_where=audit_log.c.number.is_(None),
    postgresql_where=audit_log.c.number.is_(None),
)
Index(
    "ix_audit_log_renewal_failed",  # what an alert counts
    audit_log.c.at,
    sqlite_where=text("action = 'subscription.renewal_failed'"),
    postgresql_where=text("action = 'subscription.renewal_failed'"),
)

audit_numbering = Table(
    "audit_numbering",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("last", BigInteger, nullable=False),  # the last number that was given to a line of the audit log
    Column("removed_through", BigInteger, nullable=False, server_default=EPOCH),  # the last line an operator removed
    CheckConstraint("id = 1", "one_row"),
)

test_clock = Table(
    "test_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("offset_microseconds", BigInteger, nullable=False),
    CheckConstraint("id = 1", "one_row"),
)

# What this database was made for, and the keys that its fields are sealed with. Every start compares both with its
# settings.
database_mode = Table(
    "database_mode",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("mode", Text, nullable=False),
    Column("since", Moment, nullable=False),
    CheckConstraint("id = 1", "one_row"),
    CheckConstraint("mode IN ('live', 'test')", "mode"),
)

sealing_keys = Table(
    "sealing_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("proof_enc", LargeBinary, nullable=False),  # a known text, sealed with this key
    Column("since", Moment, nullable=False),
)
