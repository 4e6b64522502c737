"""The operator's commands, run in this process on a database of the test's own."""

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from bakong_service import app as composition
from bakong_service.cli.app import app
from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.settings import Settings
from bakong_service.web.operating import oversight

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(
    environment: dict[str, str], sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command: its exit code, and what it printed on standard output, or on standard error where it failed."""
    environment["DATABASE_URL"] = sqlite_url
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("bakong_service.cli.logs.configure", lambda *_: None)  # the logs of this process are the tests'

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

            def operation(work: UnitOfWork) -> str:
                asked = NewPayment(amount=Money(250, "USD"), user_id="u")
                payment = payments.create(work, asked)
                sighting = Sighting(
                    tx_hash="h", amount=Decimal("0.01"), currency="USD", to_account="sokha@aclb", sent_at=now
                )
                outcome = Outcome(answer=Answer.FOUND, asked_at=now, sighting=sighting)
                payments.settle(work, payment.id, outcome)
                return payment.reference

            return await service.run("user", operation)

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


def test_a_payment_says_in_words_where_its_money_is(command: Command, underpaid: str) -> None:
    assert told(command("payments", "show", underpaid, "--json"))["value"]["review"] == "0.01"
    assert "0.01 USD: 0.01 review" in command("payments", "show", underpaid)[1]


def test_a_payment_says_what_was_refunded_and_what_still_can_be(command: Command, underpaid: str) -> None:
    (item,) = told(command("reviews", "list", "--json"))
    command("reviews", "resolve", item["reference"], "accept")
    before = command("payments", "show", underpaid)[1]
    assert re.search(r"refunded +0.00 USD\s+refundable +0.01 USD", before)
    command("payments", "refund", underpaid, "--refund-reference", "FT1")
    after = command("payments", "show", underpaid)[1]
    assert re.search(r"refunded +0.01 USD\s+refundable +0.00 USD", after)


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
    code, text = command("payments", "refund", underpaid, "--amount", "0.02", *refund)
    assert code == 1
    assert "0.02 USD is more than the 0.01 USD that is left" in text
    refunded = told(command("payments", "refund", underpaid, "--amount", "0.01", *refund))
    assert (refunded["status"], refunded["value"]["returned"], refunded["value"]["refundable"]) == (
        "refunded",
        "0.01",
        "0.00",
    )


def test_a_day_is_reconciled_as_table_json_and_csv(command: Command, underpaid: str) -> None:
    seen = told(command("payments", "show", underpaid, "--json"))["receipts"][0]["sent_at"]
    day = datetime.fromisoformat(seen).astimezone(PHNOM_PENH).date().isoformat()  # not the day of this machine
    found = told(command("reconcile", day, "--format", "json"))
    assert found["totals"] == {"review": {"USD": "0.01"}}
    assert found["lines"][0]["payment"] == underpaid
    (row,) = csv.DictReader(io.StringIO(command("reconcile", found["day"], "--format", "csv")[1]))
    assert (row["state"], row["amount"], row["expected"]) == ("review", "0.01", "2.50")
    table = command("reconcile", found["day"])[1]
    assert underpaid in table
    assert f"The money of {day} in Phnom Penh:" in table
    assert re.search(r"amount +refunded +currency", table)
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
    code, text = command("keys", "rotate", "main")
    assert (code, "MAIN_BACKEND_API_KEY" in text) == (1, True)


def test_a_key_is_made_with_an_end_and_listed_with_its_last_use(command: Command) -> None:
    create = ("keys", "create", "till", "--scope", "metrics", "--expires-at")
    made = told(command(*create, "2099-01-31T17:00:00+07:00", "--json"))
    assert made["expires_at"] == "2099-01-31T10:00:00.000Z"
    assert command(*create, "2020-01-31T17:00:00+07:00")[0] == 2
    code, message = command(*create, "tomorrow")
    assert code == 2
    assert "2027-01-31T17:00:00+07:00" in message
    (listed,) = told(command("keys", "list", "--json"))
    assert (listed["expires_at"], listed["last_used_at"]) == (made["expires_at"], None)
    assert "last_used_at" in command("keys", "list")[1]


def test_the_audit_log_is_listed_by_level_and_subject(command: Command) -> None:
    made = told(command("keys", "create", "till", "--scope", "metrics", "--json"))
    command("keys", "revoke", made["key_id"])
    listed = told(command("audit", "list", "--subject", made["key_id"], "--json"))
    assert [line["action"] for line in listed] == ["key.revoked", "key.created"]
    assert told(command("audit", "list", "--subject", made["key_id"], "--level", "INFO", "--json")) == []
    assert len(told(command("audit", "list", "--level", "SECURITY", "--limit", "1", "--json"))) == 1
    assert "key.revoked" in command("audit", "list")[1]
    assert command("audit", "list", "--level", "security")[0] == 2


def test_the_budget_and_the_invariants_are_shown(command: Command, underpaid: str) -> None:
    assert told(command("budget", "--json"))["used"] == 0
    assert command("verify") == (0, "all promises hold\n")
    assert told(command("verify", "--json")) == []


def test_verify_tells_a_broken_promise_from_what_it_could_not_look_at(
    command: Command, underpaid: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert command("verify")[0] == 0
    with closing(sqlite3.connect(environment["DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE payments SET qr_enc = x'00'")
        connection.commit()
    code, text = command("verify")
    assert (code, "I15" in text) == (1, True)
    monkeypatch.setattr(oversight, "violations", lambda _: 1 / 0)
    code, text = command("verify")
    assert (code, "ZeroDivisionError" in text) == (2, True)
    for url in (f"sqlite:///{tmp_path / 'empty.db'}", f"sqlite:///{tmp_path}/none/x.db", "mysql://h/n"):
        monkeypatch.setenv("DATABASE_URL", url)
        assert command("verify")[0] == 2
    assert command("budget")[0] == 2  # the settings are wrong
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    assert command("budget")[0] == 1


def test_the_database_is_migrated_once(
    command: Command, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
