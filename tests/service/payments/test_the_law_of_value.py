"""The law of the ledger: every cent of every payment is in exactly one place. Whoever breaks it by hand is found.

Each case breaks one rule in a healthy database in which every account holds something of every kind of origin, with the
triggers and constraints taken away: such faults come from outside. The answer must name the row.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import frozen
from sqlalchemy import Connection, text

from bakong_service.domain.ledger import Account, AccountKind
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment
from bakong_service.operations.ledger import credit
from bakong_service.operations.subscriptions import cancelling
from bakong_service.storage.checks.invariants import INVARIANTS, Violation, violations
from bakong_service.storage.ledger.period_values import astray
from bakong_service.storage.subscriptions import subscriptions
from kit.there import there
from kit.till import Till

pytestmark = pytest.mark.anyio

SUM = "each balance is the sum of its entries"
ENTERED = "every cent of every receipt is in exactly one account"
DECIDED = "money is in review, or was returned, exactly as its receipt says"
ORIGIN = "all value comes from a receipt or from a gift"
GIVEN = "a gift belongs to a payment that exists, or was given once by a named operator"
ASIDE = "credit is set aside for open payments only"
OVER = "a period that is over, or was removed, holds nothing"
THERE = "each account belongs to a period, a payment, a receipt or a user that exists"
WORTH = "a period holds what its unserved time is worth"


@frozen(kw_only=True)
class Books:
    """A healthy database, and the names of some of its rows."""

    paid: Payment  # a period of its money
    served: Payment  # a one-off payment
    waiting: Payment  # in review
    reduced: Payment  # open, with credit set aside for it
    gift: str  # the origin of credit that an operator gave


@pytest.fixture
async def books(till: Till) -> Books:
    """A shop in which every account holds something."""
    served = await till.see(await till.create(amount=Money(250, "USD")))
    waiting = await till.see(await till.create(user_id="u3", plan="PREMIUM"), amount=Decimal("0.10"))
    credited = await till.see(await till.create(user_id="u2", plan="PREMIUM"), amount=Decimal("0.10"))
    await till.resolve((await till.reviews(credited))[0], "credit")
    granted = await grant(till, "u2", 5)
    reduced = await till.create(user_id="u2", plan="PREMIUM")
    await grant(till, "u2", 7)
    await grant(till, "u2", -2)
    accepted = await till.see(await till.create(user_id="u5", plan="PREMIUM"), amount=Decimal("0.20"))
    await till.resolve((await till.reviews(accepted))[0], "accept")
    left_in_place = await till.see(await till.create(user_id="u6", plan="PREMIUM"))
    await till.refund(left_in_place)
    ended = await till.see(await till.create(user_id="u7", plan="PREMIUM"))
    await cancel(till, "u7")
    paid = await till.see(await till.create(user_id="u1", plan="PREMIUM"))
    assert ended.status == "paid"
    assert reduced.credit_reserved == 15
    assert await till.violations() == []
    return Books(paid=paid, served=served, waiting=waiting, reduced=reduced, gift=f"gift:{granted}")


async def grant(till: Till, user_id: str, minor: int) -> str:
    given = await till.do(credit.grant, user_id, Money(minor, "USD"), reason="test", actor="operator:dara")
    return str(given.reference)


async def cancel(till: Till, user_id: str) -> None:
    live = there(await till.read(subscriptions.live_of, user_id))
    await till.do(cancelling.cancel, live.reference, at_once=True, reason=None, actor="operator:dara")


# What a hand may do to the books


@frozen
class Hand:
    """Changes rows behind the service's back."""

    connection: Connection

    def run(self, statement: str, **values: Any) -> None:
        done = self.connection.execute(text(statement), values)
        assert done.rowcount, f"nothing was changed by {statement}"

    def one(self, statement: str, **values: Any) -> Any:
        return self.connection.execute(text(statement), values).first()

    def receipt(self, payment: Payment) -> Any:
        return self.one("SELECT id, tx_hash FROM receipts WHERE payment_id = :id", id=payment.id)

    def period(self, payment: Payment) -> Account:
        found = self.one("SELECT id FROM subscription_periods WHERE payment_id = :id", id=payment.id)
        return Account(AccountKind.PERIOD, str(found.id))

    def move(self, source: Any, target: Any, minor: int, origin: str, currency: str = "USD", number: int = 1) -> None:
        """Move value as the service would, entry and balances: only what was moved is wrong."""
        (source_kind, source_holder), (target_kind, target_holder) = _named(source), _named(target)
        values = {"origin": origin, "minor": minor, "currency": currency}
        self.connection.execute(
            text(
                "INSERT INTO ledger_entries (id, from_account, from_holder, to_account, to_holder, origin, minor,"
                " currency, reason, cause, at) VALUES (:number, :source, :source_holder, :target, :target_holder,"
                " :origin, :minor, :currency, 'paid', 'by hand', 1)"
            ),
            {"number": number, "source": source_kind, "source_holder": source_holder, "target": target_kind,
             "target_holder": target_holder, **values},
        )  # fmt: skip
        for kind, holder, change in ((source_kind, source_holder, -minor), (target_kind, target_holder, minor)):
            self.connection.execute(
                text(
                    "INSERT INTO ledger_balances (account, holder, currency, origin, minor, position)"
                    " VALUES (:kind, :holder, :currency, :origin, :change, 9)"
                    " ON CONFLICT (account, holder, currency, origin)"
                    " DO UPDATE SET minor = ledger_balances.minor + :change"
                ),
                {"kind": kind, "holder": holder, "change": change, **values},
            )


def _named(account: Any) -> tuple[str, str]:
    return (account.kind.value, account.holder) if isinstance(account, Account) else account


SERVED, OUTSIDE, GIFT, LOST = ("served", ""), ("outside", ""), ("gift", ""), ("lost", "")
U2 = ("credit", "u2")


def origin_of(hand: Hand, payment: Payment) -> str:
    return f"receipt:{hand.receipt(payment).id}"


# Each case: its name, the rule that it breaks, and how. It returns the row that must be named.

Case = Callable[[Hand, Books], str]
CASES: dict[str, tuple[str, Case]] = {}


def breaks(promise: str) -> Callable[[Case], Case]:
    def keep(case: Case) -> Case:
        CASES[case.__name__] = (promise, case)
        return case

    return keep


@breaks(ENTERED)
def a_receipt_without_its_entry(hand: Hand, books: Books) -> str:
    receipt = hand.receipt(books.served)
    for table in ("ledger_entries", "ledger_balances"):
        hand.run(f"DELETE FROM {table} WHERE origin = :origin", origin=f"receipt:{receipt.id}")
    return str(receipt.tx_hash)


@breaks(ENTERED)
def a_receipt_that_entered_twice(hand: Hand, books: Books) -> str:
    hand.move(OUTSIDE, SERVED, 250, origin_of(hand, books.served))
    return str(hand.receipt(books.served).tx_hash)


@breaks(ENTERED)
def a_receipt_that_came_in_another_currency(hand: Hand, books: Books) -> str:
    origin = origin_of(hand, books.served)
    for table in ("ledger_entries", "ledger_balances"):
        hand.run(f"UPDATE {table} SET currency = 'KHR' WHERE origin = :origin", origin=origin)
    return str(hand.receipt(books.served).tx_hash)


@breaks(DECIDED)
def a_receipt_that_was_decided_and_still_waits(hand: Hand, books: Books) -> str:
    receipt = hand.receipt(books.waiting)
    hand.run("UPDATE receipts SET disposition = 'credited' WHERE id = :id", id=receipt.id)
    return str(receipt.tx_hash)


@breaks(DECIDED)
def an_open_receipt_whose_money_was_given_away(hand: Hand, books: Books) -> str:
    receipt = hand.receipt(books.waiting)
    hand.move(("review", str(receipt.id)), ("credit", "u3"), 10, f"receipt:{receipt.id}")
    return str(receipt.tx_hash)


@breaks(DECIDED)
def a_refunded_receipt_whose_money_is_still_held(hand: Hand, books: Books) -> str:
    receipt = hand.receipt(books.paid)
    hand.run("UPDATE receipts SET disposition = 'refunded' WHERE id = :id", id=receipt.id)
    return str(receipt.tx_hash)


@breaks(DECIDED)
def an_applied_receipt_whose_money_went_back(hand: Hand, books: Books) -> str:
    hand.move(SERVED, OUTSIDE, 1, origin_of(hand, books.served))
    return str(hand.receipt(books.served).tx_hash)


@breaks(ORIGIN)
def value_of_a_receipt_that_was_never_seen(hand: Hand, books: Books) -> str:
    hand.move(OUTSIDE, U2, 5, "receipt:77")
    return "receipt:77"


@breaks(ORIGIN)
def value_of_a_receipt_that_has_no_number(hand: Hand, books: Books) -> str:
    hand.move(OUTSIDE, U2, 5, "receipt:1e3")
    return "receipt:1e3"


@breaks(ORIGIN)
def value_of_a_receipt_in_a_currency_that_did_not_come(hand: Hand, books: Books) -> str:
    hand.move(OUTSIDE, U2, 4000, origin_of(hand, books.paid), "KHR")
    return origin_of(hand, books.paid)


@breaks(ORIGIN)
def value_of_an_unknown_origin(hand: Hand, books: Books) -> str:
    hand.move(OUTSIDE, U2, 5, "rain")
    return "rain"


@breaks(ORIGIN)
def a_gift_that_came_from_a_payer(hand: Hand, books: Books) -> str:
    hand.move(OUTSIDE, U2, 5, books.gift)
    return books.gift


@breaks(ORIGIN)
def a_receipt_that_came_from_the_shop(hand: Hand, books: Books) -> str:
    hand.move(GIFT, U2, 5, origin_of(hand, books.paid))
    return origin_of(hand, books.paid)


@breaks(GIVEN)
def a_gift_for_a_payment_that_is_not_there(hand: Hand, books: Books) -> str:
    hand.move(GIFT, U2, 5, "gift:pay_0")
    hand.run("UPDATE ledger_entries SET at = (SELECT MAX(created_at) FROM payments) WHERE id = 1")
    return "gift:pay_0"


@breaks(GIVEN)
def a_gift_of_nobody(hand: Hand, books: Books) -> str:
    hand.run("DELETE FROM audit_log WHERE subject = :reference", reference=books.gift.removeprefix("gift:"))
    return books.gift


@breaks(GIVEN)
def a_gift_that_was_given_twice(hand: Hand, books: Books) -> str:
    hand.move(GIFT, U2, 5, books.gift)
    return books.gift


@breaks(ASIDE)
def credit_set_aside_for_a_payment_that_closed(hand: Hand, books: Books) -> str:
    hand.run("UPDATE payments SET status = 'timeout' WHERE id = :id", id=books.reduced.id)
    return books.reduced.reference


@breaks(ASIDE)
def credit_that_is_no_longer_set_aside(hand: Hand, books: Books) -> str:
    hand.move(("set_aside", books.reduced.reference), U2, 5, books.gift)
    return books.reduced.reference


@breaks(ASIDE)
def more_credit_set_aside_than_the_price_was_reduced_by(hand: Hand, books: Books) -> str:
    hand.run("UPDATE payments SET status = 'review' WHERE id = :id", id=books.reduced.id)
    hand.move(U2, ("set_aside", books.reduced.reference), 1, books.gift)
    return books.reduced.reference


@breaks(ASIDE)
def credit_set_aside_for_a_payment_that_asks_for_its_whole_price(hand: Hand, books: Books) -> str:
    hand.move(U2, ("set_aside", books.served.reference), 1, books.gift)
    return books.served.reference


@breaks(WORTH)
def a_period_that_holds_too_much(hand: Hand, books: Books) -> str:
    hand.move(U2, hand.period(books.paid), 1, books.gift)
    return str(books.paid.subscription)


@breaks(WORTH)
def a_period_that_holds_too_little(hand: Hand, books: Books) -> str:
    hand.move(hand.period(books.paid), SERVED, 1, origin_of(hand, books.paid))
    return str(books.paid.subscription)


@breaks(WORTH)
def a_period_whose_value_was_raised(hand: Hand, books: Books) -> str:
    hand.run("UPDATE subscription_periods SET value = '51' WHERE payment_id = :id", id=books.paid.id)
    return str(books.paid.subscription)


@breaks(OVER)
def a_period_that_was_removed_and_holds_something(hand: Hand, books: Books) -> str:
    hand.run("UPDATE subscription_periods SET reversed_at = 1 WHERE payment_id = :id", id=books.paid.id)
    return str(books.paid.subscription)


@breaks(OVER)
def a_period_that_is_over_and_holds_something(hand: Hand, books: Books) -> str:
    hand.run("UPDATE subscriptions SET status = 'expired' WHERE reference = :it", it=books.paid.subscription)
    return str(books.paid.subscription)


@breaks(THERE)
def a_period_that_was_never_sold(hand: Hand, books: Books) -> str:
    hand.move(U2, ("period", "77"), 1, books.gift)
    return "period 77"


@breaks(THERE)
def a_period_that_has_no_number(hand: Hand, books: Books) -> str:
    hand.move(U2, ("period", "the first"), 1, books.gift)
    return "period the first"


@breaks(THERE)
def a_payment_that_was_never_made(hand: Hand, books: Books) -> str:
    hand.move(U2, ("set_aside", "pay_0"), 1, books.gift)
    return "set_aside pay_0"


@breaks(THERE)
def a_receipt_that_never_waited(hand: Hand, books: Books) -> str:
    hand.move(U2, ("review", "77"), 1, books.gift)
    return "review 77"


@breaks(THERE)
def an_account_that_does_not_exist(hand: Hand, books: Books) -> str:
    hand.move(U2, ("pocket", "dara"), 1, books.gift)
    return "pocket dara"


@breaks(THERE)
def a_second_account_where_there_is_only_one(hand: Hand, books: Books) -> str:
    hand.move(U2, ("served", "u2"), 1, books.gift)
    return "served u2"


@breaks(THERE)
def credit_of_nobody(hand: Hand, books: Books) -> str:
    hand.move(U2, ("credit", ""), 1, books.gift)
    return "credit "


def _of_each_account(kind: AccountKind, what: str) -> None:
    """A balance and an entry of an account, changed, doubled and removed: the account is named with the origin."""

    def case(hand: Hand, books: Books) -> str:
        row = hand.one("SELECT * FROM ledger_balances WHERE account = :kind AND minor <> 0", kind=kind.value)
        assert row is not None, f"no {kind} in the books"
        values = {"kind": kind.value, "holder": row.holder, "origin": row.origin}
        of_account = " WHERE account = :kind AND holder = :holder AND origin = :origin"
        entry = (
            " FROM ledger_entries WHERE id = (SELECT MAX(id) FROM ledger_entries WHERE origin = :origin AND ("
            "(to_account = :kind AND to_holder = :holder) OR (from_account = :kind AND from_holder = :holder)))"
        )
        columns = "from_account, from_holder, to_account, to_holder, origin, minor, currency, reason, cause, at"
        hand.run(
            {
                "balance changed": f"UPDATE ledger_balances SET minor = minor + 1{of_account}",
                "balance removed": f"DELETE FROM ledger_balances{of_account}",
                "entry removed": f"DELETE{entry}",
                "entry doubled": f"INSERT INTO ledger_entries (id, {columns}) SELECT 1, {columns}{entry}",
                "entry of another amount": f"UPDATE ledger_entries SET minor = minor + 1{entry[20:]}",
            }[what],
            **values,
        )
        return f"{kind.value} {row.holder} of {row.origin}"

    CASES[f"{kind.value}: {what}"] = (SUM, case)


for _kind in AccountKind:
    for _what in ("balance changed", "balance removed", "entry removed", "entry doubled", "entry of another amount"):
        _of_each_account(_kind, _what)


class Undone(Exception):  # noqa: N818 - takes a transaction back
    """Raised when enough was seen."""


async def test_whoever_breaks_the_law_by_hand_is_named(till: Till, books: Books) -> None:
    missed = []
    for name, (promise, case) in CASES.items():
        found: list[Violation] = []
        wanted: list[str] = []

        def look(
            connection: Connection, case: Case = case, found: list[Violation] = found, wanted: list[str] = wanted
        ) -> None:
            unguarded(connection)
            wanted.append(case(Hand(connection), books))
            found += violations(connection, subscription_grace=till.business.subscriptions.grace, now=till.now)
            found += astray(connection, now=till.now)
            raise Undone

        with pytest.raises(Undone):
            await till.run(look)
        if (promise, wanted[0]) not in {(each.promise, each.subject) for each in found}:
            missed.append((name, wanted[0], [(each.promise, each.subject, each.found) for each in found]))
    assert missed == []
    assert await till.violations() == []


async def test_the_books_have_every_account_and_every_origin(till: Till, books: Books) -> None:
    """So that no case above is broken in an empty account."""
    held = await till.run(
        lambda c: c.execute(text("SELECT account, origin FROM ledger_balances WHERE minor <> 0")).all()
    )
    assert {row.account for row in held} == set(AccountKind)
    kinds = {"receipt", "gift:pay", "gift:gift"}
    assert {next(kind for kind in kinds if row.origin.startswith(kind)) for row in held} == kinds


async def test_verify_names_a_balance_that_was_changed(till: Till, books: Books) -> None:
    def break_it(connection: Connection) -> None:
        unguarded(connection)
        connection.execute(text("UPDATE ledger_balances SET minor = 11 WHERE account = 'credit' AND origin LIKE 'r%'"))
        connection.execute(text("UPDATE ledger_balances SET minor = 9 WHERE account = 'review'"))

    await till.run(break_it)
    assert {(each.invariant, each.promise) for each in await till.violations()} == {("I1", SUM), ("I1", DECIDED)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_twice_the_rows_take_twice_the_steps(till: Till, books: Books) -> None:
    """SQLite counts the steps of its machine, so no clock is asked. What is quadratic takes four times as many."""

    def look(connection: Connection) -> None:
        unguarded(connection)
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        few = steps(connection, rows=1_000)
        many = steps(connection, rows=2_000)
        assert {promise for promise, count in many.items() if count > 3 * few[promise] + 100} == set()
        raise Undone

    with pytest.raises(Undone):
        await till.run(look)


def steps(connection: Connection, *, rows: int) -> dict[str, int]:
    """Fill up to so many receipts, each with its value in a period, and count each query's steps, in hundreds."""
    numbers = f"WITH RECURSIVE number(i) AS (SELECT {rows - 999} UNION ALL SELECT i + 1 FROM number WHERE i < {rows}) "
    for table, changed in (
        ("receipts", {"id": "i", "tx_hash": "'h' || i"}),
        ("subscription_periods", {"id": "i", "n": "i + 9", "payment_id": "NULL", "reversed_at": "1"}),
        ("ledger_entries", {"id": "i", "to_holder": "'' || i", "origin": "'receipt:' || i"}),
        ("ledger_balances", {"holder": "'' || i", "origin": "'receipt:' || i"}),
    ):
        columns = [row.name for row in connection.execute(text(f"PRAGMA table_info({table})"))]
        values = ", ".join(changed.get(column, f"one.{column}") for column in columns)
        one = f"SELECT * FROM {table}" + (" WHERE account = 'period'" if table == "ledger_balances" else "")
        connection.execute(text(f"INSERT INTO {table} {numbers} SELECT {values} FROM number, ({one} LIMIT 1) one"))
    counted: dict[str, int] = {}
    driver: Any = connection.connection.driver_connection
    for invariant in INVARIANTS:
        ticks: list[int] = []
        driver.set_progress_handler(lambda ticks=ticks: ticks.append(1), 100)
        moments = dict.fromkeys(text(invariant.query)._bindparams, 0)
        connection.execute(text(invariant.query), moments).all()
        counted[invariant.promise] = counted.get(invariant.promise, 0) + len(ticks)
    driver.set_progress_handler(None, 0)
    return counted


def unguarded(connection: Connection) -> None:
    """Take away what stops a hand: triggers, and the constraints of the ledger's tables."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("ledger_balances", "ledger_entries"):
            for (name,) in connection.execute(
                text(f"SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'c'")
            ).all():
                connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
    else:
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
