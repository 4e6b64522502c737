"""What must hold over the whole database, as queries that find what breaks it. An empty answer is the good one.

Numbered as in the design: I1 to I14 are here as SQL, I15 (every sealed field opens) is in `storage.sealed`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, TextClause, text

from bakong_service.storage.columns import microseconds

SLACK = timedelta(minutes=10)
"""How long work may be due before that is a fault."""
_LEASES = 10 * timedelta(seconds=30)


@frozen(kw_only=True)
class Violation:
    """One row that breaks an invariant: what, which one, and what was found there."""

    invariant: str  # "I2"
    promise: str
    subject: str
    found: str


@frozen
class _Invariant:
    number: str
    promise: str
    query: str  # gives subject and found


_INVARIANTS = (
    _Invariant(
        "I1",
        "a receipt is open exactly as long as an item of the review queue is open for it",
        """SELECT r.tx_hash AS subject, r.disposition AS found FROM receipts r
           LEFT JOIN review_items i ON i.receipt_id = r.id AND i.resolved_at IS NULL
           WHERE (r.disposition = 'open') <> (i.id IS NOT NULL)""",
    ),
    _Invariant(
        "I1",
        "applied money belongs to a paid payment, refunded and credited money to a decision",
        """SELECT r.tx_hash AS subject, r.disposition || ' for a payment that is ' || p.status AS found
           FROM receipts r JOIN payments p ON p.id = r.payment_id
           WHERE (r.disposition = 'applied' AND p.status <> 'paid')
              OR (r.disposition = 'refunded' AND p.status <> 'refunded' AND NOT EXISTS (
                    SELECT 1 FROM review_items i WHERE i.receipt_id = r.id AND i.action = 'refunded'))
              OR (r.disposition = 'credited' AND NOT EXISTS (
                    SELECT 1 FROM review_items i JOIN credits c ON c.source = i.reference AND c.reason = 'review'
                    WHERE i.receipt_id = r.id AND i.action = 'credit' AND c.amount = r.amount_minor
                      AND c.currency = r.currency))""",
    ),
    _Invariant(
        "I2",
        "a paid payment has one applied receipt of its amount, currency and account, or was accepted by a person",
        """SELECT p.reference AS subject, CAST(COUNT(r.id) AS TEXT) || ' such receipts' AS found FROM payments p
           LEFT JOIN receipts r ON r.payment_id = p.id AND r.disposition = 'applied' AND r.amount_minor = p.amount
             AND r.currency = p.currency AND r.to_account = p.to_account
           WHERE p.status = 'paid' AND ' ' || p.flags || ' ' NOT LIKE '% credited %' AND NOT EXISTS (
             SELECT 1 FROM review_items i WHERE i.payment_id = p.id AND i.action = 'accept')
           GROUP BY p.reference HAVING COUNT(r.id) <> 1""",
    ),
    _Invariant(
        "I2",
        "no payment has more than one applied receipt",
        """SELECT p.reference AS subject, CAST(COUNT(r.id) AS TEXT) || ' applied receipts' AS found FROM payments p
           JOIN receipts r ON r.payment_id = p.id AND r.disposition = 'applied'
           GROUP BY p.reference HAVING COUNT(r.id) > 1""",
    ),
    _Invariant(
        "I3",
        "a paid payment for a plan has had its effect, once, and no other payment has one",
        """SELECT p.reference AS subject, p.status || CASE WHEN e.payment_id IS NULL THEN ' without' ELSE ' with' END
                  || ' an effect' AS found
           FROM payments p LEFT JOIN effects e ON e.payment_id = p.id
           WHERE (p.status = 'paid' AND p.purpose <> 'one_off' AND e.payment_id IS NULL
                  AND ' ' || p.flags || ' ' NOT LIKE '% credited %')
              OR (e.payment_id IS NOT NULL AND p.status NOT IN ('paid', 'refunded'))""",
    ),
    *(
        _Invariant(
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
        _Invariant(
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
        _Invariant(
            "I5",
            f"every change of a {subject[:-1]} that is to be told has its event",
            f"""SELECT s.reference AS subject, CAST(COUNT(*) AS TEXT) || ' x ' || h.event_type AS found
                FROM {history} h JOIN {subject} s ON s.id = h.subject_id WHERE h.event_type IS NOT NULL
                GROUP BY s.reference, h.event_type
                HAVING COUNT(*) > (SELECT COUNT(*) FROM events e
                                   WHERE e.subject = s.reference AND e.type = h.event_type)""",  # noqa: S608 - ours
        )
        for subject, history in (("payments", "payment_history"), ("subscriptions", "subscription_history"))
    ),
    _Invariant(
        "I5",
        "the events of a subject are numbered without a gap",
        """SELECT subject, CAST(COUNT(*) AS TEXT) || ' events up to ' || CAST(MAX(subject_seq) AS TEXT) AS found
           FROM events GROUP BY subject HAVING COUNT(*) <> MAX(subject_seq)""",
    ),
    _Invariant(
        "I6",
        "a dispatched event has a delivery for every endpoint that wanted it",
        """SELECT e.reference AS subject, 'none for ' || w.reference AS found FROM events e
           JOIN endpoints w ON w.state <> 'deleted' AND w.listening_since < e.created_at
             AND (w.event_types = '' OR ' ' || w.event_types || ' ' LIKE '% ' || e.type || ' %')
           WHERE e.feed_pos IS NOT NULL AND e.type NOT LIKE 'endpoint.%' AND NOT EXISTS (
             SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.endpoint_id = w.id)""",
    ),
    _Invariant(
        "I6",
        "a delivery is pending, or finished at a time",
        """SELECT reference AS subject, state AS found FROM deliveries
           WHERE (state = 'pending') <> (finished_at IS NULL)""",
    ),
    _Invariant(
        "I7",
        "money is looked for: a payment that may be paid has its next look",
        """SELECT reference AS subject, status || ' without a next look' AS found FROM payments
           WHERE next_check_at IS NULL AND (status = 'pending' OR (
             status IN ('timeout', 'failed', 'cancelled') AND watch_until > :now
             AND COALESCE(last_outcome, '') <> 'static_qr'))""",
    ),
    _Invariant(
        "I7",
        "no look is overdue by more than ten minutes",
        """SELECT reference AS subject, COALESCE(next_check_reason, 'no reason') AS found FROM payments
           WHERE next_check_at IS NOT NULL AND next_check_at < :slack""",
    ),
    _Invariant(
        "I8",
        "no subscription lives on past its end and grace",
        """SELECT reference AS subject, status AS found FROM subscriptions
           WHERE (status IN ('active', 'past_due') AND period_end + :grace < :slack)
              OR (status = 'cancelled' AND entitled_until < :slack)""",
    ),
    _Invariant(
        "I9",
        "a user has at most one live subscription",
        """SELECT user_id AS subject, CAST(COUNT(*) AS TEXT) || ' live subscriptions' AS found FROM subscriptions
           WHERE status IN ('active', 'past_due', 'cancelled') GROUP BY user_id HAVING COUNT(*) > 1""",
    ),
    _Invariant(
        "I10",
        "the periods of a subscription follow each other without a gap or an overlap",
        """SELECT s.reference AS subject, 'period ' || CAST(n.n AS TEXT) AS found FROM subscription_periods n
           JOIN subscriptions s ON s.id = n.subscription_id
           LEFT JOIN subscription_periods b ON b.subscription_id = n.subscription_id AND b.n = n.n - 1
             AND b.reversed_at IS NULL
           WHERE n.reversed_at IS NULL AND (n.ends_at <= n.starts_at OR (n.n > 1 AND (
             b.ends_at IS NULL OR b.ends_at <> n.starts_at)))""",
    ),
    _Invariant(
        "I11",
        "nobody's credit is negative",
        """SELECT user_id AS subject, CAST(SUM(amount) AS TEXT) || ' ' || currency AS found FROM credits
           GROUP BY user_id, currency HAVING SUM(amount) < 0""",
    ),
    *(
        _Invariant(
            "I13",
            f"no lease of {table} is older than ten times its length",
            f"SELECT reference AS subject, 'lease' AS found FROM {table} "  # noqa: S608 - names of our own tables
            "WHERE lease_until > 0 AND lease_until < :lease",
        )
        for table in ("payments", "subscriptions", "deliveries")
    ),
    _Invariant(
        "I14",
        "no more calls were spent than the day allowed",
        """SELECT day AS subject, CAST(used AS TEXT) || ' of ' || CAST("limit" AS TEXT) AS found
           FROM provider_budget WHERE used > "limit" """,
    ),
)


def violations(connection: Connection, *, subscription_grace: timedelta, now: datetime) -> Iterator[Violation]:
    """Every row that breaks one of I1 to I14. Reads everything: minutes, on millions of rows."""
    moments = {
        "now": microseconds(now),
        "slack": microseconds(now - SLACK),
        "lease": microseconds(now - _LEASES),
        "grace": subscription_grace // timedelta(microseconds=1),
    }
    for invariant in _INVARIANTS:
        query: TextClause = text(invariant.query)
        wanted: dict[str, Any] = {name: moments[name] for name in query._bindparams}  # noqa: SLF001 - no other way
        for row in connection.execute(query, wanted):
            yield Violation(
                invariant=invariant.number, promise=invariant.promise, subject=str(row.subject), found=str(row.found)
            )
