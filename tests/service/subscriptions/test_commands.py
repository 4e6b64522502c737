"""`bakong-service plans` and `subscriptions`, as an operator types them."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bakong_service.cli.app import app
from bakong_service.domain.money import Money
from bakong_service.operations.ledger import credit
from kit.till import Till

Run = Callable[..., Any]

SETTINGS = {
    "MODE": "test",
    "BAKONG_DEVELOPER_TOKEN": "simulator",
    "BAKONG_BASE_URL": "http://127.0.0.1:9",
    "BAKONG_MERCHANT_ID": "coffee_house@dev",
    "MERCHANT_NAME": "Coffee House",
    "ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
    "LOG_LEVEL": "ERROR",
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The commands are the same on both databases."""
    return sqlite_url


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; what it prints, read as JSON where it was asked for."""
    for name, value in {**SETTINGS, "DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> Any:
        app(list(words), result_action="return_value")
        printed = capsys.readouterr().out
        return json.loads(printed) if "--json" in words else printed

    return run


@pytest.fixture
def reference(desk_of: Callable[[Callable[[Till], Awaitable[object]]], object]) -> str:
    """The subscription of the user u1, paid for just now."""

    async def subscribe(desk: Till) -> str:
        return str((await desk.subscribe("FAMILY_PREMIUM")).reference)

    return str(desk_of(subscribe))


def test_plans_are_offered_and_listed(run: Run, reference: str) -> None:
    offered = run("plans", "offer", "GOLD", "--name", "Gold", "--amount", "4000", "--currency", "KHR", "--json")
    assert (offered["code"], offered["version"], offered["amount"]) == ("GOLD", 1, "4000")
    assert {plan["code"] for plan in run("plans", "list", "--json")} == {"PREMIUM", "FAMILY_PREMIUM", "GOLD"}
    assert "GOLD" in run("plans", "list")


def test_a_plan_is_withdrawn_by_a_command_unless_a_file_says_what_is_sold(
    run: Run, reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    withdrawn = run("plans", "withdraw", "PREMIUM", "--json")
    assert (withdrawn["code"], withdrawn["on_sale"]) == ("PREMIUM", False)
    listed = {plan["code"]: plan["on_sale"] for plan in run("plans", "list", "--json")}
    assert listed == {"PREMIUM": False, "FAMILY_PREMIUM": True}
    file = tmp_path / "plans.json"
    terms = {"code": "PREMIUM", "name": "Premium", "price": "0.50", "currency": "USD"}
    file.write_text(json.dumps({"plans": [terms]}), encoding="utf-8")
    monkeypatch.setenv("PLANS_FILE", str(file))
    offer = ("plans", "offer", "PREMIUM", "--name", "Premium", "--amount", "0.50", "--currency", "USD")
    for words in (("plans", "withdraw", "FAMILY_PREMIUM"), offer):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == 1
        assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--amount", "4.5", "--currency", "KHR"), "riel are whole"),
        (("--amount", "0", "--currency", "USD"), "more than zero"),
        (("--amount", "1", "--currency", "USD", "--period-days", "0"), "period is 0:00:00"),
    ],
)
def test_a_bad_plan_ends_the_command_with_the_rule(
    run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run("plans", "offer", "GOLD", "--name", "Gold", *words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_subscription_is_shown_by_reference_and_by_user(run: Run, reference: str) -> None:
    shown = run("subscriptions", "show", reference, "--json")
    assert (shown["user_id"], shown["status"], len(shown["history"])) == ("u1", "active", 1)
    assert run("subscriptions", "show", "u1", "--json") == shown
    assert reference in run("subscriptions", "show", "u1")
    assert [each["reference"] for each in run("subscriptions", "list", "--status", "active", "--json")] == [reference]
    assert run("subscriptions", "list", "--status", "expired", "--json") == []


def test_an_operator_does_for_a_user_what_the_main_backend_would(run: Run, reference: str) -> None:
    assert run("subscriptions", "renew", reference, "--json")["purpose"] == "renewal"
    assert run("subscriptions", "downgrade", reference, "PREMIUM", "--json")["scheduled_plan"] == "PREMIUM"
    assert run("subscriptions", "downgrade", reference, "PREMIUM", "--now", "--json")["plan"] == "PREMIUM"
    cancelled = run("subscriptions", "cancel", reference, "--reason", "asked by phone", "--operator", "dara", "--json")
    assert cancelled["status"] == "cancelled"
    assert run("subscriptions", "resume", reference, "--json")["status"] == "active"
    assert run("subscriptions", "cancel", reference, "--now", "--json")["status"] == "expired"
    actors = [change["actor"] for change in run("subscriptions", "show", reference, "--json")["history"]]
    assert "operator:dara" in actors


def test_a_renewal_that_credit_pays_prints_the_subscription(
    run: Run, reference: str, desk_of: Callable[[Callable[[Till], Awaitable[object]]], object]
) -> None:
    async def give(desk: Till) -> None:
        await desk.do(credit.grant, "u1", Money(100, "USD"), reason="goodwill", actor="operator:sokha")

    desk_of(give)
    renewed = run("subscriptions", "renew", reference, "--json")
    assert (renewed["object"], renewed["credit"]["amount"]) == ("subscription", "0.00")


def test_what_isnt_there_ends_the_command_with_a_message(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("subscriptions", "show", "nobody")
    assert ended.value.code == 1
    assert "no subscription nobody" in capsys.readouterr().err
