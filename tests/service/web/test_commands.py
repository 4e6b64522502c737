"""The operator's commands, run in this process on a database of the test's own."""

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import anyio
import pytest

from bakong_service import app as composition
from bakong_service.cli import opening
from bakong_service.cli.app import app
from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment
from bakong_service.operations import payments
from bakong_service.settings import Settings

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(
    environment: dict[str, str], sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command: its exit code, and what it printed on standard output, or on standard error where it failed."""
    environment["DATABASE_URL"] = sqlite_url
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(opening.logs, "configure", lambda *_: None)  # the logs of this process are the tests'

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        printed = capsys.readouterr()
        code = int(ended.value.code or 0)
        return code, printed.out if code == 0 else printed.out + printed.err

    return run


@pytest.fixture
def underpaid(command: Command, environment: dict[str, str]) -> str:
    """The reference of a payment of 2.50 dollars for which 0.01 came."""

    async def make() -> str:
        async with composition.opened(Settings.from_environment(environment)) as service:
            now = service.clock.now()

            def operation(connection: Any) -> str:
                asked = NewPayment(amount=Money(250, "USD"), user_id="u")
                payment = payments.create(connection, service.business, asked, actor="user", now=now)
                sighting = Sighting(
                    tx_hash="h", amount=Decimal("0.01"), currency="USD", to_account="sokha@aclb", sent_at=now
                )
                outcome = Outcome(answer=Answer.FOUND, asked_at=now, sighting=sighting)
                payments.settle(connection, service.business, payment.id, outcome, fence=None, now=now)
                return payment.reference

            return await service.executor.run(operation)

    return anyio.run(make)


def told(printed: tuple[int, str]) -> Any:
    code, text = printed
    assert code == 0, text
    return json.loads(text)


def test_payments_are_shown_listed_and_cancelled(command: Command, underpaid: str) -> None:
    shown = told(command("payments", "show", underpaid, "--json"))
    assert (shown["status"], len(shown["history"]), len(shown["receipts"])) == ("review", 2, 1)
    assert underpaid in command("payments", "show", shown["bill_number"])[1]
    assert [row["reference"] for row in told(command("payments", "list", "--status", "review", "--json"))] == [
        underpaid
    ]
    assert told(command("payments", "list", "--since", "2100-01-01", "--json")) == []
    code, text = command("payments", "cancel", underpaid, "--reason", "no")
    assert (code, text) == (1, f"bakong-service: payment {underpaid} is review: cancel isn't possible\n")
    assert command("payments", "check", underpaid)[0] == 0


def test_reviews_are_listed_and_decided(command: Command, underpaid: str) -> None:
    (item,) = told(command("reviews", "list", "--json"))
    assert item["payment"] == underpaid
    assert item["reference"] in command("reviews", "list")[1]
    code, text = command("reviews", "resolve", item["reference"], "refunded")
    assert code == 1
    assert "needs a note" in text
    decided = told(command("reviews", "resolve", item["reference"], "accept", "--operator", "dara", "--json"))
    assert decided["status"] == "paid"
    (kept,) = told(command("reviews", "list", "--all", "--json"))
    assert (kept["action"], kept["operator"]) == ("accept", "operator:dara")
    refund = ("--refund-reference", "FT1", "--operator", "dara", "--json")
    assert told(command("payments", "refund", underpaid, *refund))["status"] == "refunded"


def test_a_day_is_reconciled_as_table_json_and_csv(command: Command, underpaid: str) -> None:
    seen = told(command("payments", "show", underpaid, "--json"))["receipts"][0]["sent_at"]
    day = datetime.fromisoformat(seen).astimezone(PHNOM_PENH).date().isoformat()  # not the day of this machine
    found = told(command("reconcile", day, "--format", "json"))
    assert found["totals"] == {"review": {"USD": "0.01"}}
    assert found["lines"][0]["payment"] == underpaid
    (row,) = csv.DictReader(io.StringIO(command("reconcile", found["day"], "--format", "csv")[1]))
    assert (row["state"], row["amount"], row["expected"]) == ("review", "0.01", "2.50")
    assert underpaid in command("reconcile", found["day"])[1]
    assert told(command("reconcile", "2020-01-01", "--format", "json"))["lines"] == []


def test_keys_are_made_rotated_and_revoked(command: Command) -> None:
    made = told(command("keys", "create", "till", "--scope", "payments:read", "--scope", "webhooks", "--json"))
    assert made["key"].startswith("bks_test_")
    assert made["scopes"] == ["payments:read", "webhooks"]
    rotated = told(command("keys", "rotate", made["key_id"], "--json"))
    assert rotated["key"] != made["key"]
    assert told(command("keys", "revoke", made["key_id"], "--json"))["revoked_at"]
    assert len(told(command("keys", "list", "--json"))) == 2
    assert command("keys", "create", "till", "--scope", "everything")[0] == 2


def test_the_budget_and_the_invariants_are_shown(command: Command, underpaid: str) -> None:
    assert told(command("budget", "--json"))["used"] == 0
    assert command("verify") == (0, "all of it holds\n")
    assert told(command("verify", "--json")) == []


def test_the_database_is_migrated_once(
    command: Command, environment: dict[str, str], monkeypatch: Any, tmp_path: Any
) -> None:
    assert command("migrate") == (0, "the database is at 0001 already\n")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    code, text = command("budget")
    assert code == 1
    assert "run bakong-service migrate" in text
    assert command("migrate") == (0, "the database went from empty to 0001\n")
    assert command("budget")[0] == 0


def test_every_command_explains_itself(command: Command) -> None:
    for words in (["payments"], ["reviews"], ["keys"], ["serve"], ["work"], ["migrate"], ["reconcile"], ["verify"]):
        code, text = command(*words, "--help")
        assert code == 0
        assert "Usage" in text
