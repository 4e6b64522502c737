"""The promises that `verify` checks with SQL: each query returns the rows that break its promise, so none is good.

`docs/design/promises.md` lists all promises by number. Two more are checked in Python: `checks/sealed.py` opens every
sealed field (I15), and `ledger/period_values.py` compares periods with exact fractions (a part of I11).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, TextClause, text

from bakong_service.storage.engine.columns import microseconds
from bakong_service.storage.schema import CURRENCY

SLACK = timedelta(minutes=10)
"""Work that is overdue for longer than this breaks a promise."""
_LEASES = 10 * timedelta(seconds=30)
_AUDITED = timedelta(days=365)  # `triggers` keeps each line of the audit log for at least so long


@frozen(kw_only=True)
class Violation:
    """One row that breaks a promise."""

    invariant: str  # the promise's number, "I2"
    promise: str  # in words
    subject: str  # the row: a reference, a transaction's hash ...
    found: str  # what the row has instead


@frozen
class Invariant:
    """A promise and the query that finds the rows which break it."""

    number: str
    promise: str
    query: str  # selects `subject` and `found`; joins text with text only, or SQLite can't build an automatic index


INVARIANTS = (
    Invariant(
        "I1",
        "a receipt is open exactly while a review item is open for it",
        """SELECT r.tx_hash AS subject, r.disposition AS found FROM receipts r
           LEFT JOIN review_items i ON i.receipt_id = r.id AND i.resolved_at IS NULL
           WHERE (r.disposition = 'open') <> (i.id IS NOT NULL)""",
    ),
    Invariant(
        "I1",
        "applied money belongs to a paid payment, refunded and credited money to a decision",
        """SELECT r.tx_hash AS subject, r.disposition || ' for a payment that is ' || p.status AS found
           FROM receipts r JOIN payments p ON p.id = r.payment_id
           WHERE (r.disposition = 'applied' AND p.status <> 'paid')
              OR (r.disposition = 'refunded' AND p.status <> 'refunded' AND NOT EXISTS (
                    SELECT 1 FROM review_items i WHERE i.receipt_id = r.id AND i.action = 'refunded'))
              OR (r.disposition = 'credited' AND NOT EXISTS (
                    SELECT 1 FROM review_items i WHERE i.receipt_id = r.id AND i.action = 'credit'))""",
    ),
    Invariant(
        "I1",
        "every cent of every receipt is in exactly one account",
        f"""SELECT r.tx_hash AS subject, CAST(r.amount_minor AS TEXT) || ' ' || r.currency || ' came, '
                  || CAST(COALESCE(SUM(CASE WHEN e.from_account = 'outside' THEN e.minor END), 0) AS TEXT)
                  || ' entered the ledger' AS found
           FROM receipts r LEFT JOIN ledger_entries e
             ON e.origin = 'receipt:' || CAST(r.id AS TEXT) AND e.currency = r.currency
           WHERE r.amount_minor IS NOT NULL AND r.{CURRENCY}
           GROUP BY r.tx_hash, r.amount_minor, r.currency
           HAVING COALESCE(SUM(CASE WHEN e.from_account = 'outside' THEN e.minor END), 0) <> r.amount_minor""",  # noqa: S608 - a constant
    ),
    Invariant(
        "I1",
        "money is in review, or was returned, exactly as its receipt says",
        # A part of a receipt that bought something, or is credit, may have been refunded. Its payment's flag says so.
        f"""SELECT r.tx_hash AS subject, r.disposition || ', and ' || CAST(COALESCE(SUM(CASE WHEN
                    b.account = 'review' THEN b.minor END), 0) AS TEXT) || ' waits, '
                  || CAST(r.amount_minor + COALESCE(SUM(CASE WHEN b.account = 'outside' THEN b.minor END), 0) AS TEXT)
                  || ' went back' AS found
           FROM receipts r JOIN payments p ON p.id = r.payment_id LEFT JOIN ledger_balances b
             ON b.origin = 'receipt:' || CAST(r.id AS TEXT) AND b.currency = r.currency
           WHERE r.amount_minor IS NOT NULL AND r.{CURRENCY}
           GROUP BY r.tx_hash, r.disposition, r.amount_minor, p.flags
           HAVING COALESCE(SUM(CASE WHEN b.account = 'review' THEN b.minor END), 0)
                    <> CASE WHEN r.disposition = 'open' THEN r.amount_minor ELSE 0 END
               OR r.amount_minor + COALESCE(SUM(CASE WHEN b.account = 'outside' THEN b.minor END), 0) NOT BETWEEN
                    CASE WHEN r.disposition IN ('refunded', 'rejected') THEN r.amount_minor ELSE 0 END
                    AND CASE WHEN r.disposition IN ('refunded', 'rejected') THEN r.amount_minor
                             WHEN r.disposition IN ('applied', 'credited')
                               AND ' ' || p.flags || ' ' LIKE '% partly_refunded %' THEN r.amount_minor - 1
                             ELSE 0 END""",  # noqa: S608 - a constant
    ),
    Invariant(
        "I1",
        "all value comes from a receipt or from a gift",
        """WITH known AS MATERIALIZED (
             SELECT CAST('receipt:' || CAST(id AS TEXT) AS TEXT) AS origin, currency FROM receipts
             WHERE amount_minor IS NOT NULL)
           SELECT e.origin AS subject,
                  CAST(e.minor AS TEXT) || ' ' || e.currency || ' out of ' || e.from_account AS found
           FROM ledger_entries e LEFT JOIN known r ON r.origin = e.origin AND r.currency = e.currency
           WHERE (r.origin IS NULL AND e.origin NOT LIKE 'gift:%')
              OR (e.from_account = 'gift' AND e.origin NOT LIKE 'gift:%')
              OR (e.from_account = 'outside' AND r.origin IS NULL)""",
    ),
    Invariant(
        "I1",
        "a gift belongs to a payment that exists, or was given once by a named operator",
        """SELECT e.origin AS subject, 'given ' || CAST(COUNT(DISTINCT e.id) AS TEXT) || ' times, '
                  || CAST(COUNT(DISTINCT a.id) AS TEXT) || ' lines in the audit' AS found
           FROM ledger_entries e
           LEFT JOIN payments p ON p.reference = SUBSTR(e.origin, 6)
           LEFT JOIN audit_log a ON a.subject = SUBSTR(e.origin, 6)
           WHERE e.from_account = 'gift'
           GROUP BY e.origin
           HAVING MAX(p.id) IS NULL
             AND (COUNT(DISTINCT e.id) > 1 OR (MAX(a.id) IS NULL AND MAX(e.at) > :audited))""",
    ),
    Invariant(
        "I1",
        "each balance is the sum of its entries",
        """SELECT account || ' ' || holder || ' of ' || origin AS subject,
                  CAST(SUM(kept) AS TEXT) || ' ' || currency || ' kept, '
                  || CAST(SUM(moved) AS TEXT) || ' moved' AS found
           FROM (SELECT account, holder, currency, origin, minor AS kept, 0 AS moved FROM ledger_balances
                 UNION ALL SELECT to_account, to_holder, currency, origin, 0, minor FROM ledger_entries
                 UNION ALL SELECT from_account, from_holder, currency, origin, 0, -minor FROM ledger_entries) sums
           GROUP BY account, holder, currency, origin HAVING SUM(kept) <> SUM(moved)""",
    ),
    Invariant(
        "I2",
        "a paid payment has one applied receipt of its amount, currency and account, or was accepted by a person",
        """SELECT p.reference AS subject, CAST(COUNT(r.id) AS TEXT) || ' such receipts' AS found FROM payments p
           LEFT JOIN receipts r ON r.payment_id = p.id AND r.disposition = 'applied' AND r.amount_minor = p.amount
             AND r.currency = p.currency AND r.to_account = p.to_account
           WHERE p.status = 'paid' AND ' ' || p.flags || ' ' NOT LIKE '% credited %' AND NOT EXISTS (
             SELECT 1 FROM review_items i WHERE i.payment_id = p.id AND i.action = 'accept')
           GROUP BY p.reference HAVING COUNT(r.id) <> 1""",
    ),
    Invariant(
        "I2",
        "no payment has more than one applied receipt",
        """SELECT p.reference AS subject, CAST(COUNT(r.id) AS TEXT) || ' applied receipts' AS found FROM payments p
           JOIN receipts r ON r.payment_id = p.id AND r.disposition = 'applied'
           GROUP BY p.reference HAVING COUNT(r.id) > 1""",
    ),
    Invariant(
        "I3",
        "a paid payment for a plan has had its effect once, and no other payment has an effect",
        """SELECT p.reference AS subject, p.status || CASE WHEN e.payment_id IS NULL THEN ' without' ELSE ' with' END
                  || ' an effect' AS found
           FROM payments p LEFT JOIN effects e ON e.payment_id = p.id
           WHERE (p.status = 'paid' AND p.purpose <> 'one_off' AND e.payment_id IS NULL
                  AND ' ' || p.flags || ' ' NOT LIKE '% credited %')
              OR (e.payment_id IS NOT NULL AND p.status NOT IN ('paid', 'refunded'))""",
    ),
    *(
        Invariant(
            "I4",
            f"the history of a {subject[:-1]} has no gap, and its last change is how it stands",
            f"""SELECT s.reference AS subject, s.status || ' at version ' || CAST(s.version AS TEXT) || ', history '
                      || CAST(COUNT(h.version) AS TEXT) || ' changes up to ' || CAST(MAX(h.version) AS TEXT) AS found
                FROM {subject} s LEFT JOIN {history} h ON h.subject_id = s.id
                GROUP BY s.reference, s.status, s.version
                HAVING COUNT(h.version) <> s.version OR MAX(h.version) <> s.version
                    OR MAX(CASE WHEN h.version = s.version THEN h.new_status END) <> s.status""",  # noqa: S608 - ours
        )
        for subject, history in (("payments", "payment_history"), ("subscriptions", "subscription_history"))
    ),
    *(
        Invariant(
            "I4",
            f"each change of a {subject[:-1]} begins where the one before it ended",
            f"""SELECT s.reference AS subject, 'version ' || CAST(h.version AS TEXT) || ' begins as '
                      || COALESCE(h.old_status, 'nothing') AS found
                FROM {history} h JOIN {subject} s ON s.id = h.subject_id
                LEFT JOIN {history} b ON b.subject_id = h.subject_id AND b.version = h.version - 1
                WHERE COALESCE(h.old_status, '') <> COALESCE(b.new_status, '')""",  # noqa: S608 - names of ours
        )
        for subject, history in (("payments", "payment_history"), ("subscriptions", "subscription_history"))
    ),
    *(
        Invariant(
            "I5",
            f"every change of a {subject[:-1]} that has an event type has its event",
            f"""SELECT s.reference AS subject, CAST(COUNT(*) AS TEXT) || ' x ' || h.event_type AS found
                FROM {history} h JOIN {subject} s ON s.id = h.subject_id WHERE h.event_type IS NOT NULL
                GROUP BY s.reference, h.event_type
                HAVING COUNT(*) > (SELECT COUNT(*) FROM events e
                                   WHERE e.subject = s.reference AND e.type = h.event_type)""",  # noqa: S608 - ours
        )
        for subject, history in (("payments", "payment_history"), ("subscriptions", "subscription_history"))
    ),
    Invariant(
        "I5",
        "the events of a subject are numbered without a gap",
        # The first event of a subject after a restore begins at the number of that restore.
        """SELECT e.subject, 'none before ' || CAST(e.subject_seq AS TEXT) AS found FROM events e
           WHERE e.subject_seq <> 1 AND e.subject_seq NOT IN (SELECT first_sequence FROM restores)
             AND NOT EXISTS (
               SELECT 1 FROM events b WHERE b.subject = e.subject AND b.subject_seq = e.subject_seq - 1)""",
    ),
    Invariant(
        "I6",
        "a dispatched event has a delivery for every endpoint that wanted it",
        """SELECT e.reference AS subject, 'none for ' || w.reference AS found FROM events e
           JOIN endpoints w ON w.state <> 'deleted' AND w.listening_since < e.created_at
             AND (w.event_types = '' OR ' ' || w.event_types || ' ' LIKE '% ' || e.type || ' %')
           WHERE e.feed_pos IS NOT NULL AND e.type NOT LIKE 'endpoint.%' AND NOT EXISTS (
             SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.endpoint_id = w.id)""",
    ),
    Invariant(
        "I6",
        "a delivery is pending, or it has the time at which it was finished",
        """SELECT reference AS subject, state AS found FROM deliveries
           WHERE (state = 'pending') <> (finished_at IS NULL)""",
    ),
    Invariant(
        "I7",
        "a payment that may still be paid has a time for its next look",
        """SELECT reference AS subject, status || ' without a next look' AS found FROM payments
           WHERE next_check_at IS NULL AND (status = 'pending' OR (
             status IN ('timeout', 'failed', 'cancelled') AND watch_until > :now
             AND COALESCE(last_outcome, '') <> 'static_qr'))""",
    ),
    Invariant(
        "I7",
        "no look is overdue by more than ten minutes",
        """SELECT reference AS subject, COALESCE(next_check_reason, 'no reason') AS found FROM payments
           WHERE next_check_at IS NOT NULL AND next_check_at < :slack""",
    ),
    Invariant(
        "I8",
        "no subscription is live after its end and its grace",
        """SELECT reference AS subject, status AS found FROM subscriptions
           WHERE (status IN ('active', 'past_due') AND period_end + :grace < :slack)
              OR (status = 'cancelled' AND entitled_until < :slack)""",
    ),
    Invariant(
        "I9",
        "a user has at most one live subscription",
        """SELECT user_id AS subject, CAST(COUNT(*) AS TEXT) || ' live subscriptions' AS found FROM subscriptions
           WHERE status IN ('active', 'past_due', 'cancelled') GROUP BY user_id HAVING COUNT(*) > 1""",
    ),
    Invariant(
        "I10",
        "the periods of a subscription follow each other without a gap or an overlap",
        """SELECT s.reference AS subject, 'period ' || CAST(n.n AS TEXT) AS found FROM subscription_periods n
           JOIN subscriptions s ON s.id = n.subscription_id
           LEFT JOIN subscription_periods b ON b.subscription_id = n.subscription_id AND b.n = n.n - 1
             AND b.reversed_at IS NULL
           WHERE n.reversed_at IS NULL AND (n.ends_at < n.starts_at OR (n.n > 1 AND (
             b.ends_at IS NULL OR b.ends_at <> n.starts_at)))""",
    ),
    Invariant(
        "I11",
        "credit is set aside for open payments only",
        """SELECT p.reference AS subject, CAST(COALESCE(SUM(b.minor), 0) AS TEXT) || ' of '
                  || CAST(p.credit_reserved AS TEXT) || ' set aside while ' || p.status AS found
           FROM payments p LEFT JOIN ledger_balances b ON b.account = 'set_aside' AND b.holder = p.reference
           WHERE p.credit_reserved > 0 OR b.minor <> 0 GROUP BY p.reference, p.credit_reserved, p.status
           HAVING COALESCE(SUM(b.minor), 0) > p.credit_reserved
               OR (p.status = 'pending' AND COALESCE(SUM(b.minor), 0) <> p.credit_reserved)
               OR (p.status IN ('paid', 'timeout', 'cancelled', 'expired', 'refunded')
                   AND COALESCE(SUM(b.minor), 0) <> 0)""",
    ),
    Invariant(
        "I11",
        "a period that is over, or was removed, holds nothing",
        """SELECT s.reference AS subject,
                  'period ' || CAST(n.n AS TEXT) || ' holds ' || CAST(SUM(b.minor) AS TEXT) AS found
           FROM subscription_periods n JOIN subscriptions s ON s.id = n.subscription_id
           JOIN ledger_balances b ON b.account = 'period' AND b.holder = CAST(n.id AS TEXT)
           WHERE n.reversed_at IS NOT NULL OR n.n < s.period_number OR s.status IN ('past_due', 'expired')
           GROUP BY s.reference, n.n HAVING SUM(b.minor) <> 0""",
    ),
    Invariant(
        "I11",
        "each account belongs to a period, a payment, a receipt or a user that exists",
        """WITH periods AS MATERIALIZED (SELECT CAST(id AS TEXT) AS holder FROM subscription_periods),
                waiting AS MATERIALIZED (SELECT CAST(id AS TEXT) AS holder FROM receipts)
           SELECT b.account || ' ' || b.holder AS subject, CAST(b.minor AS TEXT) || ' ' || b.currency AS found
           FROM ledger_balances b
           LEFT JOIN periods n ON b.account = 'period' AND n.holder = b.holder
           LEFT JOIN payments p ON b.account = 'set_aside' AND p.reference = b.holder
           LEFT JOIN waiting r ON b.account = 'review' AND r.holder = b.holder
           WHERE (b.account IN ('period', 'set_aside', 'review') AND COALESCE(n.holder, p.reference, r.holder) IS NULL)
              OR (b.account IN ('outside', 'gift', 'served', 'lost') AND b.holder <> '')
              OR (b.account = 'credit' AND b.holder = '')
              OR b.account NOT IN ('outside', 'gift', 'period', 'served', 'review', 'credit', 'set_aside', 'lost')""",
    ),
    *(
        Invariant(
            "I13",
            f"no lease of {table} is older than ten times its length",
            f"SELECT reference AS subject, 'lease' AS found FROM {table} "  # noqa: S608 - names of our own tables
            "WHERE lease_until > 0 AND lease_until < :lease",
        )
        for table in ("payments", "subscriptions", "deliveries")
    ),
    Invariant(
        "I14",
        "no day has more calls to Bakong than its limit",
        """SELECT day AS subject, CAST(used AS TEXT) || ' of ' || CAST("limit" AS TEXT) AS found
           FROM provider_budget WHERE used > "limit" """,
    ),
    Invariant(
        "I18",
        "the lines of the audit log are numbered without a gap, up to the last number that was given",
        """SELECT 'audit line ' || CAST(a.number - 1 AS TEXT) AS subject, 'missing' AS found FROM audit_log a
           WHERE a.number - 1 > (SELECT removed_through FROM audit_numbering)
             AND NOT EXISTS (SELECT 1 FROM audit_log b WHERE b.number = a.number - 1)
           UNION ALL SELECT 'audit line ' || CAST(n.last AS TEXT), 'missing' FROM audit_numbering n
           WHERE n.last > n.removed_through AND NOT EXISTS (SELECT 1 FROM audit_log a WHERE a.number = n.last)""",
    ),
)


def violations(connection: Connection, *, subscription_grace: timedelta, now: datetime) -> Iterator[Violation]:
    """Yield every row that breaks a promise. This reads every table, and takes minutes on millions of rows."""
    moments = {
        "now": microseconds(now),
        "slack": microseconds(now - SLACK),
        "lease": microseconds(now - _LEASES),
        "audited": microseconds(now - _AUDITED),
        "grace": subscription_grace // timedelta(microseconds=1),
    }
    for invariant in INVARIANTS:
        query: TextClause = text(invariant.query)
        wanted: dict[str, Any] = {name: moments[name] for name in query._bindparams}  # noqa: SLF001 - no other way
        for row in connection.execute(query, wanted):
            yield Violation(
                invariant=invariant.number, promise=invariant.promise, subject=str(row.subject), found=str(row.found)
            )
