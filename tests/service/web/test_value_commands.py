"""What an operator types to see where the money is, to preview a change, and to give credit."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest
from sqlalchemy import func, select

from bakong_service import app as composition
from bakong_service.cli.app import app
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.payments.settling import settle
from bakong_service.operations.subscriptions import plans
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.settings import Settings
from bakong_service.storage import schema
from bakong_service.storage import test_clock as kept_clock
from bakong_service.storage.subscriptions import subscriptions

Run = Callable[..., str]


@pytest.fixture
def run(
    environment: dict[str, str], sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command, and return what it printed: on standard error where it failed."""
    environment["DATABASE_URL"] = sqlite_url
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("bakong_service.cli.logs.configure", lambda *_: None)  # the logs of this process are the tests'

    def run(*words: str) -> str:
        with pytest.raises(SystemExit):
            app(words)
        printed = capsys.readouterr()
        return printed.out or printed.err

    return run


@pytest.fixture
def in_the_shop(run: Run, environment: dict[str, str]) -> Callable[[Callable[[UnitOfWork], Any]], Any]:
    """Do something in the database that the commands use."""

    def do(operation: Callable[[UnitOfWork], Any]) -> Any:
        async def open_it() -> Any:
            async with composition.opened(Settings.from_environment(environment)) as service:
                await service.run("user", lambda work: plans.ensure_defaults(work, None))
                return await service.run("api:test", operation)

        return anyio.run(open_it)

    return do


@pytest.fixture
def paid(in_the_shop: Any) -> str:
    """The payment of a user who bought FAMILY_PREMIUM; fifteen of its thirty days are over."""

    def buy(work: UnitOfWork) -> str:
        asked = NewPayment(user_id="u1", plan="FAMILY_PREMIUM")
        payment = payments.create(work, asked)
        sighting = Sighting(
            tx_hash="h", amount=payment.amount.decimal, currency="USD", to_account=payment.to_account, sent_at=work.now
        )
        outcome = Outcome(answer=Answer.FOUND, asked_at=work.now, sighting=sighting)
        settle(work, payment.id, outcome)
        kept_clock.advance(work.connection, timedelta(days=15))
        return str(payment.reference)

    return str(in_the_shop(buy))


@pytest.fixture
def subscription(paid: str, in_the_shop: Any) -> str:
    """The reference of that user's subscription."""

    def find(work: UnitOfWork) -> str:
        live = subscriptions.live_of(work.connection, "u1")
        assert live is not None
        return str(live.reference)

    return str(in_the_shop(find))


def rows(work: UnitOfWork) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table.name: work.connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in schema.metadata.sorted_tables
    }


def test_a_payment_says_in_one_line_where_its_money_is(run: Run, paid: str, subscription: str) -> None:
    assert "1.00 USD: 0.50 served, 0.50 periods" in run("payments", "show", paid)
    run("subscriptions", "downgrade", subscription, "PREMIUM", "--now")
    assert "1.00 USD: 0.50 served, 0.25 periods, 0.25 credit" in run("payments", "show", paid)


def test_a_payment_that_nothing_came_for_says_so(run: Run, in_the_shop: Any) -> None:
    def order(work: UnitOfWork) -> str:
        asked = NewPayment(user_id="u1", plan="PREMIUM")
        return str(payments.create(work, asked).reference)

    assert "no money came" in run("payments", "show", in_the_shop(order))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("downgrade", "PREMIUM", "--now"), '"to_credit": "0.25"'),
        (("downgrade", "PREMIUM"), '"to_credit": "0.00"'),
        (("cancel", "--now"), '"lost": "0.50"'),
        (("cancel",), '"lost": "0.00"'),
        (("upgrade", "GOLD"), '"from_payment": "0.50"'),
    ],
)
def test_a_preview_says_what_would_move_and_stores_nothing(
    run: Run, subscription: str, in_the_shop: Any, words: tuple[str, ...], told: str
) -> None:
    run("plans", "offer", "GOLD", "--name", "Gold", "--amount", "2.00", "--currency", "USD")
    before = in_the_shop(rows)
    action, *rest = words
    assert told in run("subscriptions", action, subscription, *rest, "--preview", "--json")
    assert in_the_shop(rows) == before


def test_an_upgrade_prints_the_payment_to_be_paid(run: Run, subscription: str) -> None:
    run("plans", "offer", "GOLD", "--name", "Gold", "--amount", "2.00", "--currency", "USD")
    assert '"amount": "0.50"' in run("subscriptions", "upgrade", subscription, "GOLD", "--json")


def test_an_upgrade_that_credit_pays_prints_the_subscription(run: Run, subscription: str) -> None:
    run("plans", "offer", "GOLD", "--name", "Gold", "--amount", "2.00", "--currency", "USD")
    run("subscriptions", "credit", "u1", "0.50", "USD", "--reason", "goodwill")
    assert '"plan": "GOLD"' in run("subscriptions", "upgrade", subscription, "GOLD", "--json")


def test_credit_is_given_and_removed(run: Run, paid: str) -> None:
    assert '"balance": "2.50"' in run("subscriptions", "credit", "u1", "2.50", "USD", "--reason", "x", "--json")
    assert '"balance": "1.50"' in run("subscriptions", "credit", "u1", "-1.00", "USD", "--reason", "x", "--json")
    assert "has 1.50 USD of credit" in run("subscriptions", "credit", "u1", "-2", "USD", "--reason", "x")


@pytest.mark.parametrize("amount", ["0", "0.001", "much"])
def test_an_amount_that_is_no_money_is_refused_with_the_rule(run: Run, paid: str, amount: str) -> None:
    printed = run("subscriptions", "credit", "u1", amount, "USD", "--reason", "x")
    assert printed.startswith("bakong-service: AMOUNT: ")
