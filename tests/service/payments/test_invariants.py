"""Every invariant is found broken by the row that breaks it. The triggers are off: such faults come from outside."""

from datetime import timedelta

import pytest
from attrs import evolve
from sqlalchemy import Connection, text

from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment
from bakong_service.operations import keys
from bakong_service.operations.keys import NewKey
from bakong_service.storage import audit, schema
from bakong_service.storage.bakong import budget
from bakong_service.storage.checks.invariants import Violation
from bakong_service.storage.checks.verification import broken as broken_promises
from bakong_service.vault import Vault
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio


@pytest.fixture
async def paid(till: Till) -> Payment:
    """A healthy shop with a paid subscription, a paid one-off, an open payment, a payment in review and a credit."""
    await till.create(amount=Money(1, "USD"))
    await till.see(await till.create(amount=Money(250, "USD")))
    short = await till.see(await till.create(user_id="u2", plan="PREMIUM"), amount=Money(10, "USD").decimal)
    till.later(seconds=1)
    await till.see(short)
    first, _ = await till.reviews(short)
    await till.resolve(first, "credit")
    payment = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    await till.run(lambda c: budget.spend(c, limit=9, calls=3, now=till.now))
    scopes = frozenset({"payments:read"})
    await till.run(lambda c: keys.create(till.work(c), NewKey(name="till", scopes=scopes, is_test=True)))
    await till.run(audit.number_lines)
    assert await till.violations() == []
    return await till.payment(payment)


BREAKS = [
    ("I1", "UPDATE receipts SET disposition = 'open' WHERE payment_id = {id}"),
    ("I1", "UPDATE review_items SET resolved_at = opened_at WHERE resolved_at IS NULL"),
    ("I1", "UPDATE payments SET status = 'timeout', version = 3 WHERE id = {id}"),
    ("I1", "UPDATE receipts SET disposition = 'refunded' WHERE payment_id = {id}"),
    ("I1", "UPDATE ledger_balances SET minor = 11 WHERE account = 'credit'"),
    ("I2", "UPDATE receipts SET amount_minor = 1 WHERE payment_id = {id}"),
    ("I2", "UPDATE receipts SET currency = 'KHR' WHERE payment_id = {id}"),
    ("I2", "UPDATE receipts SET to_account = 'x@y' WHERE payment_id = {id}"),
    ("I3", "DELETE FROM effects WHERE payment_id = {id}"),
    ("I4", "DELETE FROM payment_history WHERE subject_id = {id} AND version = 1"),
    ("I4", "UPDATE payments SET version = 9 WHERE id = {id}"),
    ("I4", "UPDATE payment_history SET old_status = 'failed' WHERE subject_id = {id} AND version = 2"),
    ("I4", "UPDATE subscription_history SET new_status = 'expired'"),
    ("I5", "DELETE FROM events WHERE subject = '{reference}' AND type = 'payment.paid'"),
    ("I5", "UPDATE events SET subject_seq = 9 WHERE subject = '{reference}' AND type = 'payment.paid'"),
    ("I7", "UPDATE payments SET next_check_at = NULL WHERE status = 'pending'"),
    ("I7", "UPDATE payments SET next_check_at = {now} - 700000000 WHERE status = 'pending'"),
    ("I8", "UPDATE subscriptions SET period_end = {now} - 4 * 86400000000"),
    ("I10", "UPDATE subscription_periods SET n = 2"),
    ("I10", "UPDATE subscription_periods SET ends_at = starts_at - 1"),
    ("I11", "UPDATE ledger_balances SET account = 'set_aside' WHERE account = 'credit'"),
    ("I13", "UPDATE payments SET lease_until = {now} - 400000000 WHERE status = 'pending'"),
    ("I15", "UPDATE payments SET qr_enc = (SELECT qr_enc FROM payments WHERE id <> {id} LIMIT 1) WHERE id = {id}"),
    ("I16", "UPDATE payments SET amount = 251 WHERE status = 'pending'"),
    ("I16", "UPDATE payments SET currency = 'KHR' WHERE status = 'pending'"),
    ("I16", "UPDATE payments SET to_account = 'thief@aclb' WHERE status = 'pending'"),
    ("I16", "UPDATE payments SET md5 = '0' WHERE status = 'pending'"),
    ("I16", "UPDATE payments SET bill_number = '0' WHERE status = 'pending'"),
    ("I17", "UPDATE api_keys SET scopes = 'admin payments:read'"),
    ("I17", "UPDATE api_keys SET expires_at = {now} + 1"),
    ("I17", "UPDATE api_keys SET family = 'main'"),
    ("I17", "UPDATE api_keys SET hash = (SELECT qr_enc FROM payments LIMIT 1)"),
    ("I18", "DELETE FROM audit_log WHERE number = 1"),
    ("I18", "DELETE FROM audit_log WHERE number = 3"),
    ("I18", "DELETE FROM audit_log WHERE number = (SELECT last FROM audit_numbering)"),
    ("I18", "DELETE FROM audit_log"),
]


class Undone(Exception):  # noqa: N818 - takes a transaction back
    """Raised when enough was seen."""


async def test_the_row_that_breaks_an_invariant_is_found(till: Till, paid: Payment) -> None:
    now = int(till.now.timestamp()) * 1_000_000
    grace = till.business.subscriptions.grace
    for number, fault in BREAKS:
        statement = fault.format(id=paid.id, reference=paid.reference, now=now)
        broken: list[Violation] = []

        def break_it(connection: Connection, statement: str = statement, broken: list[Violation] = broken) -> None:
            without_triggers(connection)
            connection.execute(text(statement))
            broken += broken_promises(connection, till.business.vault, subscription_grace=grace, now=till.now)
            raise Undone

        with pytest.raises(Undone):
            await till.run(break_it)
        assert number in {violation.invariant for violation in broken}, fault
        for violation in broken:
            assert violation.subject
            assert violation.found
            assert violation.promise
    assert await till.violations() == []


def without_triggers(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    else:
        for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(text(f"DROP TRIGGER {name}"))


async def test_an_event_that_was_dispatched_past_an_endpoint_is_found(till: Till, paid: Payment) -> None:
    def break_it(connection: Connection) -> None:
        row = {
            "id": 1, "reference": "we_1", "url": "https://x.test", "event_types": frozenset({"payment.paid"}),
            "state": "enabled", "version": 1, "created_at": paid.created_at,
            "listening_since": paid.created_at - timedelta(days=1),
        }  # fmt: skip
        connection.execute(schema.endpoints.insert(), row)
        connection.execute(
            text(f"UPDATE events SET feed_pos = 1 WHERE subject = '{paid.reference}' AND subject_seq = 2")
        )

    await till.run(break_it)
    [violation] = await till.violations()
    assert (violation.invariant, violation.found) == ("I6", "none for we_1")


async def test_a_sealed_field_whose_key_is_gone_is_named(till: Till, paid: Payment) -> None:
    till.business = evolve(till.business, vault=Vault({"k2": b"1" * 32}, b"p" * 32))
    broken = [violation for violation in await till.violations() if violation.invariant == "I15"]
    assert {violation.subject.split(".")[0] for violation in broken} == {"payments", "receipts"}
    assert f"payments.qr_enc.{paid.reference}" in {violation.subject for violation in broken}
    assert "'k1', which isn't in the ring" in broken[0].found


async def test_work_that_is_not_done_is_found_after_ten_minutes(till: Till, usd: Payment) -> None:
    till.at(there(usd.next_check_at) + timedelta(minutes=10))
    assert await till.violations() == []
    till.later(seconds=1)
    [violation] = await till.violations()
    assert (violation.invariant, violation.subject, violation.found) == ("I7", usd.reference, "payer_may_pay")
