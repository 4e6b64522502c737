"""What the service promises about each payment: its reference, its QR, its history, its timeout and its audit."""

from datetime import timedelta
from secrets import randbits
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from bakong_khqr import KHQR, verify
from bakong_service.domain.errors import Invalid
from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer
from bakong_service.domain.payment import Payment, PaymentStatus
from bakong_service.operations.business import Business
from bakong_service.operations.payments import requests as operations
from bakong_service.storage import audit, history, schema
from bakong_service.storage.engine.executor import ATTEMPTS, Executor
from bakong_service.storage.payments import payments
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio
S = PaymentStatus


def qr_of(till: Till, payment: Payment) -> str:
    return till.business.vault.open(payment.qr, f"payments.qr_enc.{payment.reference}")


async def test_a_reference_is_unique_and_a_version_4_uuid(till: Till) -> None:
    made = [await till.create() for _ in range(20)]
    references = {payment.reference for payment in made}
    assert len(references) == 20
    for reference in references:
        kind, uuid = reference.split("_")
        assert (kind, UUID(uuid).version, str(UUID(uuid))) == ("pay", 4, uuid)


def test_bill_numbers_fit_a_khqr_and_tell_payments_apart() -> None:
    @given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
    def check(one: int, other: int) -> None:
        bills = [Identifiers().bill_number(number) for number in (one, other)]
        assert all(13 <= len(bill) <= 25 and bill.isalnum() for bill in bills)
        assert (bills[0] == bills[1]) == (one == other)

    check()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(minor=st.integers(1, 99_999_999), currency=st.sampled_from(["USD", "KHR"]))
def test_the_qr_says_what_was_asked_for(business: Business, minor: int, currency: str) -> None:
    from datetime import UTC, datetime

    from bakong_service.operations.payments.issuing import _khqr

    now = datetime(2026, 11, 1, 12, tzinfo=UTC)
    khqr = _khqr(business, Money(minor, currency), "1L7PS0YO1RU7O", now)
    assert verify(khqr.payload, now=now)
    decoded = KHQR.decode(khqr.payload)
    assert (decoded.amount, decoded.currency) == (Money(minor, currency).decimal, currency)
    assert (decoded.bakong_account_id, decoded.expires_at) == ("sokha@aclb", now + timedelta(minutes=10))


async def test_a_payment_is_kept_as_pending_with_its_qr(till: Till) -> None:
    payment = await till.create(amount=Money(250, "USD"), description="Tea", metadata={"table": "7"})
    khqr = KHQR.decode(qr_of(till, payment))
    assert await till.payment(payment) == payment
    assert (payment.status, payment.md5, payment.bill_number) == (S.PENDING, khqr.md5, khqr.bill_number)
    assert (payment.deadline_at, payment.description) == (till.now + timedelta(minutes=15), "Tea")
    assert payment.metadata == {"table": "7"}
    assert await till.told(payment.reference) == ["created"]
    assert await till.violations() == []


async def test_a_payment_that_no_qr_can_be_made_of_is_an_error_that_says_why_and_is_in_the_audit(till: Till) -> None:
    with pytest.raises(Invalid) as refused:
        await till.create(amount=Money(10**15, "USD"))
    assert refused.value.code == "khqr_invalid"
    [fault] = refused.value.faults
    assert fault.pointer == "/amount"
    assert "amount" in fault.message
    assert await till.run(lambda c: c.execute(select(schema.payments)).all()) == []
    till.later(seconds=1)
    await till.do(operations.record_refusal, refused.value)
    entry = (await till.run(lambda c: audit.page(c, limit=5)))[0]
    assert (entry.action, there(entry.details)["code"]) == ("payment.not_created", "khqr_invalid")


async def test_a_status_never_changes_without_its_history(till: Till, usd: Payment) -> None:
    def alone(connection: Connection) -> None:
        changed = schema.payments.update().where(schema.payments.c.id == usd.id)
        connection.execute(changed.values(status="paid", version=2))

    with pytest.raises(Exception, match="a status of payments changes with its history"):
        await till.run(alone)
    assert (await till.payment(usd)).status is S.PENDING


async def test_a_change_has_status_time_and_reason(till: Till, usd: Payment) -> None:
    till.later(seconds=5)
    await till.see(usd)
    change, created = await till.history(usd)
    assert (change.old_status, change.new_status, change.at, change.version) == ("pending", "paid", till.now, 2)
    assert (change.reason, change.actor, change.event_type) == ("found_ok", "system:watcher", "payment.paid")
    assert (created.old_status, created.new_status, created.actor) == (None, "pending", "api:test")


async def test_a_payment_is_found_by_reference_md5_and_bill_number(till: Till, usd: Payment) -> None:
    assert await till.run(lambda c: payments.by_reference(c, usd.reference)) == usd
    assert await till.run(lambda c: payments.by_md5(c, usd.md5)) == usd
    assert await till.run(lambda c: payments.by_bill_number(c, usd.bill_number)) == usd
    assert await till.run(lambda c: payments.by_reference(c, "pay_0")) is None


async def test_one_confirmation_many_times_is_one_change_and_the_rest_is_logged(till: Till) -> None:
    payment = await till.create(user_id="u1", plan="PREMIUM")
    seen = till.found(payment)
    for _ in range(5):
        assert (await till.settle(payment, seen)).status is S.PAID
    assert [change.new_status for change in await till.history(payment)] == ["paid", "pending"]
    assert len(await till.receipts(payment)) == 1
    assert (await till.told(payment.reference)).count("paid") == 1
    entries = await till.run(lambda c: audit.page(c, limit=50))
    repeated = [entry for entry in entries if entry.action == "payment.duplicate_confirmation"]
    assert len(repeated) == 4
    assert repeated[0].details == {"tx_hash": there(seen.sighting).tx_hash}


async def test_required_fields_are_never_empty(till: Till, usd: Payment) -> None:
    def stored(connection: Connection) -> dict[str, Any]:
        query = select(schema.payments).where(schema.payments.c.id == usd.id)
        return dict(connection.execute(query).mappings().one())

    row = await till.run(stored)
    for column in schema.payments.c:
        if column.nullable:
            continue
        assert row[column.name] is not None

        def without(connection: Connection, name: str = column.name) -> None:
            new = {"id": 1, "reference": "pay_x", "bill_number": "x", "md5": "x"}
            connection.execute(insert(schema.payments).inline(), row | new | {name: None})

        with pytest.raises(IntegrityError):
            await till.run(without)


async def test_every_change_has_a_row_in_the_history(till: Till, usd: Payment) -> None:
    statuses = [usd.status]
    till.later(minutes=15)
    statuses.append((await till.answer(usd, Answer.NOT_FOUND)).status)
    till.later(hours=24)
    statuses.append((await till.answer(usd, Answer.NOT_FOUND)).status)
    statuses.append((await till.see(usd, sent_at=usd.created_at)).status)
    statuses.append((await till.refund(usd)).status)
    told = [change.new_status for change in await till.history(usd)]
    assert told[::-1] == statuses == ["pending", "timeout", "expired", "paid", "refunded"]


async def test_the_history_is_complete_and_newest_first(till: Till, usd: Payment) -> None:
    till.later(minutes=15)
    await till.answer(usd, Answer.NOT_FOUND)
    await till.see(usd)
    assert [change.version for change in await till.history(usd)] == [3, 2, 1]
    assert [c.version for c in await till.run(lambda c: history.of_payment(c, usd.id, below=3, limit=1))] == [2]


async def test_a_users_payments_are_newest_first_in_pages(till: Till) -> None:
    made = []
    for _ in range(5):
        made.append(await till.create(user_id="u1", amount=Money(1, "USD")))
        await till.cancel(made[-1])
        till.later(seconds=1)
    await till.create(user_id="u2", amount=Money(1, "USD"))

    async def page(**where: Any) -> list[str]:
        found = await till.run(lambda c: payments.page(c, limit=3, **where))
        return [payment.reference for payment in found]

    references = [payment.reference for payment in made]
    assert await page(user_id="u1") == references[:1:-1]
    assert await page(user_id="u1", below=made[2].id) == references[1::-1]
    assert await page(user_id="u1", above=made[2].id) == references[3:]
    assert await page(status=S.PENDING, user_id="u1") == []
    since, until = made[1].created_at, made[3].created_at
    assert await page(user_id="u1", created_from=since, created_until=until) == references[2:0:-1]


async def test_a_payment_that_is_pending_for_fifteen_minutes_times_out(till: Till, usd: Payment) -> None:
    till.at(usd.deadline_at - timedelta(microseconds=1))
    assert (await till.answer(usd, Answer.NOT_FOUND)).status is S.PENDING
    till.at(usd.deadline_at)
    after = await till.answer(usd, Answer.NOT_FOUND)
    assert (after.status, after.version) == (S.TIMEOUT, 2)
    assert await till.told(usd.reference) == ["created", "timeout"]
    assert (await till.history(usd))[0].reason == "deadline"


async def test_a_timeout_that_bakong_never_confirmed_says_so(till: Till, usd: Payment) -> None:
    till.at(usd.deadline_at)
    await till.answer(usd, Answer.NO_ANSWER, reason="blocked")
    assert (await till.history(usd))[0].reason == "unconfirmed"


async def test_a_failed_database_operation_is_tried_three_times(executor: Executor, till: Till) -> None:
    attempts = []

    def meets_itself(connection: Connection) -> None:
        attempts.append(1)
        row = {"id": 1, "level": "INFO", "action": "x", "actor": "x", "at": till.now}
        for _ in range(2):
            connection.execute(insert(schema.audit_log).inline(), row)

    with pytest.raises(Exception, match=r"audit_log"):
        await executor.run(meets_itself)
    assert len(attempts) == ATTEMPTS == 3


async def test_who_initiated_a_payment_is_in_the_audit(till: Till, usd: Payment) -> None:
    [entry] = await till.run(lambda c: audit.page(c, limit=5, subject=usd.reference))
    assert (entry.action, entry.actor, entry.at) == ("payment.created", "api:test", till.now)
    assert entry.details == {"purpose": "one_off", "amount": "2.50", "currency": "USD"}


async def test_who_changed_a_payment_is_on_record(till: Till, usd: Payment) -> None:
    await till.cancel(usd)
    await till.see(usd)
    [item] = await till.reviews(usd)
    await till.resolve(item, "accept")
    told = [(change.new_status, change.actor) for change in await till.history(usd)]
    assert told == [
        ("paid", "operator:dara"), ("review", "system:watcher"), ("cancelled", "api:test"), ("pending", "api:test"),
    ]  # fmt: skip


async def test_payments_whose_ids_met_are_made_again(till: Till) -> None:
    numbers = iter([5, 6, 7, 5])  # payment, audit, event; then the payment's once more

    def bits(wanted: int) -> int:
        return next(numbers, None) or randbits(wanted) if wanted < 128 else randbits(wanted)

    till.business = evolve(till.business, identifiers=Identifiers(bits))
    one, two = await till.create(), await till.create()
    assert one.id != two.id
    assert next(numbers, None) is None
