"""Every table of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. A table comes after the tables that it refers to."""
    _access()
    _subscriptions()
    _payments()
    _payment_indexes()
    _payment_metadata()
    _links()
    _money()
    _reviews()
    _periods()
    _value()
    _events()
    _deliveries()
    _bakong()
    _database()


def _access() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("allowed_cidrs", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
        sa.UniqueConstraint("id", name="uq_api_keys_id"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    _index("ix_audit_log_renewal_failed", "audit_log", ["at"], where="action = 'subscription.renewal_failed'")
    op.create_index("ix_audit_log_subject", "audit_log", ["subject"])
    _index("ix_audit_log_unnumbered", "audit_log", ["id"], where="number IS NULL")
    _index("uq_audit_log_number", "audit_log", ["number"], where="number IS NOT NULL", unique=True)
    op.create_table(
        "audit_numbering",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("removed_through", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_audit_numbering_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_numbering"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body_enc", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("family", "route", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_expires", "idempotency_keys", ["expires_at"])


def _subscriptions() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cadence", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("currency IN ('KHR', 'USD')", name="ck_plans_currency"),
        sa.CheckConstraint("price_minor > 0", name="ck_plans_price_positive"),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
        sa.UniqueConstraint("code", "version", name="uq_plans_code_version"),
    )
    op.create_table(
        "withdrawn_plans",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_withdrawn_plans"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("flags", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("anchor_at", sa.BigInteger(), nullable=False),
        sa.Column("period_number", sa.Integer(), nullable=False),
        sa.Column("period_end", sa.BigInteger(), nullable=False),
        sa.Column("entitled_until", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_plan", sa.Text(), nullable=True),
        sa.Column("scheduled_plan_version", sa.Integer(), nullable=True),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_action_at", sa.BigInteger(), nullable=True),
        sa.Column("next_action", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("status IN ('active', 'past_due', 'cancelled', 'expired')", name="ck_subscriptions_status"),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("reference", name="uq_subscriptions_reference"),
    )
    _index("ix_subscriptions_due", "subscriptions", ["next_action_at"], where="next_action_at IS NOT NULL")
    op.create_index("ix_subscriptions_user", "subscriptions", ["user_id", "id"])
    op.create_index("ix_subscriptions_period_end", "subscriptions", ["period_end"])
    _index(
        "uq_subscriptions_one_live_per_user",
        "subscriptions",
        ["user_id"],
        where="status IN ('active', 'past_due', 'cancelled')",
        unique=True,
    )


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("bill_number", sa.Text(), nullable=False),
        sa.Column("md5", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("plan_version", sa.Integer(), nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("quote", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("return_urls", sa.Text(), nullable=True),
        sa.Column("replaces", sa.Text(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("credit_reserved", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("to_account", sa.Text(), nullable=False),
        sa.Column("qr_enc", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("flags", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("qr_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("watch_until", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.BigInteger(), nullable=True),
        sa.Column("next_check_at", sa.BigInteger(), nullable=True),
        sa.Column("next_check_reason", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), server_default=sa.text("2"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("checks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("no_answers", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_check_at", sa.BigInteger(), nullable=True),
        sa.Column("last_outcome", sa.Text(), nullable=True),
        sa.Column("last_conclusive_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("unreadable", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("hint_at", sa.BigInteger(), nullable=True),
        sa.Column("hints", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("viewed_at", sa.BigInteger(), nullable=True),
        *_payment_constraints(),
    )


def _payment_constraints() -> tuple[sa.Constraint, ...]:
    return (
        sa.CheckConstraint("currency IN ('KHR', 'USD')", name="ck_payments_currency"),
        sa.CheckConstraint(
            "purpose = 'one_off' OR (user_id IS NOT NULL AND plan IS NOT NULL)",
            name="ck_payments_plan_payment_has_a_plan",
        ),
        sa.CheckConstraint("purpose IN ('new', 'renewal', 'upgrade', 'one_off')", name="ck_payments_purpose"),
        sa.CheckConstraint(
            "status IN ('pending', 'paid', 'review', 'timeout', 'failed', 'cancelled', 'expired', 'refunded')",
            name="ck_payments_status",
        ),
        sa.CheckConstraint("amount > 0", name="ck_payments_amount_positive"),
        sa.PrimaryKeyConstraint("id", name="pk_payments"),
        sa.UniqueConstraint("bill_number", name="uq_payments_bill_number"),
        sa.UniqueConstraint("md5", name="uq_payments_md5"),
        sa.UniqueConstraint("reference", name="uq_payments_reference"),
        sa.UniqueConstraint("replaces", name="uq_payments_replaces"),
    )


def _payment_indexes() -> None:
    _index("ix_payments_due", "payments", ["priority", "next_check_at"], where="next_check_at IS NOT NULL")
    _index("ix_payments_open_of_user", "payments", ["user_id"], where="status = 'pending'")
    _index("ix_payments_link", "payments", ["link"], where="link IS NOT NULL")
    op.create_index("ix_payments_user", "payments", ["user_id", "id"])
    _index("ix_payments_plan", "payments", ["plan", "id"], where="plan IS NOT NULL")
    op.create_index("ix_payments_amount", "payments", ["amount", "currency", "id"])
    _index("ix_payments_paid", "payments", ["paid_at"], where="paid_at IS NOT NULL")
    _index("ix_payments_flagged", "payments", ["id"], where="flags <> ''")
    _index(
        "uq_payments_one_open_per_purpose",
        "payments",
        ["user_id", "purpose"],
        where="status = 'pending' AND purpose <> 'one_off'",
        unique=True,
    )


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("least", sa.BigInteger(), nullable=True),
        sa.Column("most", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("currency IS NULL OR currency IN ('KHR', 'USD')", name="ck_links_currency"),
        sa.CheckConstraint("amount > 0 AND least > 0 AND most >= least", name="ck_links_amounts_positive"),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.UniqueConstraint("code", name="uq_links_code"),
        sa.UniqueConstraint("reference", name="uq_links_reference"),
    )


def _payment_metadata() -> None:
    op.create_table(
        "payment_metadata",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_payment_metadata_payment_id"),
        sa.PrimaryKeyConstraint("name", "value", "payment_id", name="pk_payment_metadata"),
    )


def _money() -> None:
    op.create_table(
        "payment_history",
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("old_status", sa.Text(), nullable=True),
        sa.Column("new_status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], ["payments.id"], name="fk_payment_history_subject_id"),
        sa.PrimaryKeyConstraint("subject_id", "version", name="pk_payment_history"),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("to_account", sa.Text(), nullable=False),
        sa.Column("from_account_enc", sa.LargeBinary(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("raw_enc", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "disposition IN ('applied', 'open', 'credited', 'refunded', 'rejected')", name="ck_receipts_disposition"
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_receipts_payment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
        sa.UniqueConstraint("provider", "tx_hash", name="uq_receipts_provider_tx_hash"),
    )
    op.create_index("ix_receipts_payment", "receipts", ["payment_id"])
    op.create_index("ix_receipts_seen", "receipts", ["seen_at"])


def _reviews() -> None:
    op.create_table(
        "review_items",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("receipt_id", sa.BigInteger(), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("raw_enc", sa.LargeBinary(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("operator", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_review_items_payment_id"),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name="fk_review_items_receipt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_review_items"),
        sa.UniqueConstraint("reference", name="uq_review_items_reference"),
    )
    _index("ix_review_items_open", "review_items", ["id"], where="resolved_at IS NULL")
    op.create_index("ix_review_items_payment", "review_items", ["payment_id"])
    _index(
        "uq_review_items_open_receipt",
        "review_items",
        ["receipt_id"],
        where="resolved_at IS NULL AND receipt_id IS NOT NULL",
        unique=True,
    )


def _periods() -> None:
    op.create_table(
        "subscription_history",
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("old_status", sa.Text(), nullable=True),
        sa.Column("new_status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], ["subscriptions.id"], name="fk_subscription_history_subject_id"),
        sa.PrimaryKeyConstraint("subject_id", "version", name="pk_subscription_history"),
    )
    op.create_table(
        "subscription_periods",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("valued_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("reversed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_subscription_periods_payment_id"),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_subscription_periods_subscription_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subscription_periods"),
        sa.UniqueConstraint("payment_id", name="uq_subscription_periods_payment_id"),
    )
    _index(
        "uq_subscription_periods_number",
        "subscription_periods",
        ["subscription_id", "n"],
        where="reversed_at IS NULL",
        unique=True,
    )
    op.create_table(
        "plan_changes",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_version", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("waived", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reversed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_plan_changes_payment_id"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_plan_changes_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_plan_changes"),
        sa.UniqueConstraint(
            "subscription_id", "subscription_version", name="uq_plan_changes_subscription_id_subscription_version"
        ),
    )


def _value() -> None:
    op.create_table(
        "effects",
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_effects_payment_id"),
        sa.PrimaryKeyConstraint("payment_id", name="pk_effects"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_account", sa.Text(), nullable=False),
        sa.Column("from_holder", sa.Text(), nullable=False),
        sa.Column("to_account", sa.Text(), nullable=False),
        sa.Column("to_holder", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("minor > 0", name="ck_ledger_entries_moves_something"),
        sa.CheckConstraint(
            "from_account <> to_account OR from_holder <> to_holder", name="ck_ledger_entries_moves_somewhere"
        ),
        sa.CheckConstraint("currency IN ('KHR', 'USD')", name="ck_ledger_entries_currency"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entries"),
    )
    op.create_index("ix_ledger_entries_origin", "ledger_entries", ["origin"])
    op.create_table(
        "ledger_balances",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("minor", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("minor >= 0 OR account IN ('outside', 'gift')", name="ck_ledger_balances_not_overdrawn"),
        sa.CheckConstraint("currency IN ('KHR', 'USD')", name="ck_ledger_balances_currency"),
        sa.PrimaryKeyConstraint("account", "holder", "currency", "origin", name="pk_ledger_balances"),
    )
    op.create_index("ix_ledger_balances_origin", "ledger_balances", ["origin"])


def _events() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("event_types", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("listening_since", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('enabled', 'disabled', 'deleted')", name="ck_endpoints_state"),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
        sa.UniqueConstraint("name", name="uq_endpoints_name"),
        sa.UniqueConstraint("reference", name="uq_endpoints_reference"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_seq", sa.Integer(), nullable=False),
        sa.Column("previous_status", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("feed_pos", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("reference", name="uq_events_reference"),
        sa.UniqueConstraint("subject", "subject_seq", name="uq_events_subject_subject_seq"),
    )
    _index("ix_events_undispatched", "events", ["id"], where="feed_pos IS NULL")
    _index("uq_events_feed_pos", "events", ["feed_pos"], where="feed_pos IS NOT NULL", unique=True)
    op.create_table(
        "restores",
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("after_position", sa.BigInteger(), nullable=False),
        sa.Column("first_sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="pk_restores"),
        sa.UniqueConstraint("since", name="uq_restores_since"),
    )


def _deliveries() -> None:
    op.create_table(
        "endpoint_secrets",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("secret_enc", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoints.id"], name="fk_endpoint_secrets_endpoint_id"),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint_secrets"),
    )
    op.create_index("ix_endpoint_secrets_endpoint", "endpoint_secrets", ["endpoint_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("replay", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed', 'cancelled')", name="ck_deliveries_state"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoints.id"], name="fk_deliveries_endpoint_id"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_deliveries_event_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("event_id", "endpoint_id", "replay", name="uq_deliveries_event_id_endpoint_id_replay"),
        sa.UniqueConstraint("reference", name="uq_deliveries_reference"),
    )
    _index("ix_deliveries_due", "deliveries", ["endpoint_id", "next_attempt_at"], where="state = 'pending'")
    op.create_index("ix_deliveries_endpoint", "deliveries", ["endpoint_id", "id"])
    _index("ix_deliveries_order", "deliveries", ["subject", "endpoint_id", "subject_seq"], where="state = 'pending'")
    op.create_table(
        "delivery_attempts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="fk_delivery_attempts_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_attempts"),
    )
    op.create_index("ix_delivery_attempts_delivery", "delivery_attempts", ["delivery_id"])


def _bakong() -> None:
    op.create_table(
        "provider_budget",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("limit", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            'used >= 0 AND ("limit" IS NULL OR used <= "limit")', name="ck_provider_budget_within_limit"
        ),
        sa.PrimaryKeyConstraint("day", name="pk_provider_budget"),
    )
    op.create_table(
        "provider_mode",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("probe_at", sa.BigInteger(), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name="ck_provider_mode_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_mode"),
    )
    op.create_table(
        "provider_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("skew_microseconds", sa.BigInteger(), nullable=True),
        sa.Column("distrusted_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("id = 1", name="ck_provider_clock_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_clock"),
    )
    op.create_table(
        "provider_token",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("token_enc", sa.LargeBinary(), nullable=False),
        sa.Column("source_index", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_provider_token_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_token"),
    )


def _database() -> None:
    op.create_table(
        "database_mode",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_database_mode_one_row"),
        sa.CheckConstraint("mode IN ('live', 'test')", name="ck_database_mode_mode"),
        sa.PrimaryKeyConstraint("id", name="pk_database_mode"),
    )
    op.create_table(
        "sealing_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("proof_enc", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_sealing_keys"),
    )
    op.create_table(
        "test_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset_microseconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_test_clock_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_test_clock"),
    )


def _index(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    """Make an index of some rows of a table."""
    rows = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=rows, postgresql_where=rows)
