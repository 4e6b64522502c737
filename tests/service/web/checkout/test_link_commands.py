"""The commands for payment links, run in this process on a database of the test's own."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bakong_service.cli import logs
from bakong_service.cli.app import app

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(
    environment: dict[str, str], sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command: its exit code, and what it printed."""
    for name, value in {**environment, "DATABASE_URL": sqlite_url, "PUBLIC_URL": "https://pay.example.com"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logs, "configure", lambda *_: None)

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return run


def test_a_link_is_made_seen_and_closed(command: Command) -> None:
    sells = ("--amount", "2.50", "--currency", "USD", "--description", "Coffee", "--expires-in-days", "7")
    code, printed = command("links", "create", *sells, "--json")
    assert code == 0, printed
    link: dict[str, Any] = json.loads(printed)
    assert (link["url"], link["state"]) == (f"https://pay.example.com/l/{link['code']}", "open")
    assert link["expires_at"] is not None
    assert json.loads(command("links", "list", "--json")[1]) == [link]
    assert json.loads(command("links", "show", link["reference"], "--json")[1]) == link
    assert json.loads(command("links", "close", link["reference"], "--json")[1])["state"] == "closed"


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ((), "amount"),
        (("--amount", "x", "--currency", "USD"), "amount"),
        (("--least-amount", "2", "--most-amount", "1", "--currency", "USD"), "most_amount"),
    ],
)
def test_terms_that_fit_no_link_end_the_command_with_their_rule(
    command: Command, terms: tuple[str, ...], named: str
) -> None:
    code, printed = command("links", "create", *terms)
    assert code == 1
    assert named in printed


def test_an_unknown_link_is_named(command: Command) -> None:
    for each in ("show", "close"):
        code, printed = command("links", each, "lnk_x")
        assert (code, "lnk_x" in printed) == (1, True)
