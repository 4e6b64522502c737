"""What users wrote is printed as text by every command: no style, no escape sequence, no formula, no traceback."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from sqlite3 import connect
from typing import Any

import anyio
import pytest
from attrs import evolve

from bakong_service import app as composition
from bakong_service.cli import logs
from bakong_service.cli.app import app
from bakong_service.domain.allowance import PHNOM_PENH
from bakong_service.domain.endpoint import NewEndpoint
from bakong_service.domain.link import NewLink
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment
from bakong_service.operations import keys
from bakong_service.operations.keys import NewKey
from bakong_service.operations.links import selling
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.payments import settling
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.operations.webhooks import dispatching, endpoints
from bakong_service.settings import Settings

HOSTILE = "=1+2[/red][bold]b[/bold][link=https://x.test]l\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202e\u2066\x7f\r\n\tend"
ACTS = set("\x1b\x07\x9b\u202e\u2066\x7f\r\t")
SHOWN = "[/red][bold]b[/bold][link=https://x.test]l"

# The columns with words of users, of Bakong, or of a receiver of webhooks.
PLANTED = {
    "payments": ("user_id", "description"),
    "subscriptions": ("user_id", "cancel_reason"),
    "receipts": ("external_ref",),
    "review_items": ("note", "operator"),
    "payment_history": ("reason", "actor"),
    "subscription_history": ("reason", "actor"),
    "plans": ("name",),
    "endpoints": ("description", "url"),
    "deliveries": ("last_error",),
    "delivery_attempts": ("error", "response"),
    "api_keys": ("name",),
    "links": ("description",),
    "provider_mode": ("reason",),
    "audit_log": ("actor",),
}

# Every command that prints data, with arguments, and whether the planted text is in what it prints.
COMMANDS: list[tuple[str, bool]] = [
    ("verify", False),
    ("payments show {payment}", True),
    ("payments list", True),
    ("payments check {payment}", True),
    ("payments cancel {payment} --reason HOSTILE", True),
    ("payments refund {payment} --refund-reference HOSTILE", False),
    ("payments show HOSTILE", True),
    ("reviews list --all", False),
    ("reviews resolve {review} accept --note HOSTILE", False),
    ("reviews resolve HOSTILE accept", True),
    ("plans list", True),
    ("plans offer GOLD --name HOSTILE --amount 1 --currency USD", False),
    ("plans withdraw HOSTILE", True),
    ("subscriptions show {subscription}", True),
    ("subscriptions list", True),
    ("subscriptions renew {subscription}", False),
    ("subscriptions upgrade {subscription} HOSTILE", True),
    ("subscriptions downgrade {subscription} HOSTILE", True),
    ("subscriptions credit HOSTILE 1 USD --reason HOSTILE", True),
    ("subscriptions cancel {subscription} --reason HOSTILE", True),
    ("subscriptions resume {subscription}", False),
    ("webhooks list", True),
    ("webhooks create https://shop.example/2 --description HOSTILE", False),
    ("webhooks create HOSTILE", False),
    ("webhooks change {endpoint} --description x", True),
    ("webhooks rotate {endpoint}", True),
    ("webhooks enable {endpoint}", True),
    ("webhooks test {endpoint}", False),
    ("webhooks deliveries", False),
    ("webhooks show {delivery}", True),
    ("webhooks retry {delivery}", False),
    ("webhooks replay {endpoint} --since 2020-01-01", False),
    ("webhooks delete HOSTILE", True),
    ("keys list", True),
    ("keys create HOSTILE --scope metrics", True),
    ("keys rotate HOSTILE", True),
    ("keys rotate {key}", False),
    ("keys revoke {key}", True),
    ("budget", True),
    ("audit list", True),
    ("vault status", False),
    ("vault reseal", False),
    ("vault check", False),
    ("reconcile {today}", True),
    ("report takings", False),
    ("links create --amount 1 --currency USD --description HOSTILE", True),
    ("links list", True),
    ("links show {link}", True),
    ("links show HOSTILE", True),
    ("links close {link}", True),
    ("recover --since 2020-01-01", False),
]
NOT_WALKED = {  # they print none of the database's words
    "serve", "work", "migrate", "demo", "dev", "doctor", "init", "backup", "restore", "copy", "audit prune",
}  # fmt: skip

Walk = Callable[..., tuple[int, str, str]]


@pytest.fixture
def names(environment: dict[str, str], sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A database full of hostile words; the names of one thing of each kind."""
    environment["DATABASE_URL"] = sqlite_url
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    found = anyio.run(filled, environment)
    with closing(connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        for table, columns in PLANTED.items():
            for column in columns:
                changed = connection.execute(f"UPDATE {table} SET {column} = ?", (HOSTILE,)).rowcount
                assert changed or table in ("review_items", "provider_mode"), table
        connection.execute("UPDATE payments SET metadata = ?", (json.dumps({HOSTILE: HOSTILE}),))
        connection.execute(
            "INSERT INTO provider_mode (id, mode, reason, since) VALUES (1, 'bulk', ?, 1) "
            "ON CONFLICT (id) DO UPDATE SET reason = excluded.reason",
            (HOSTILE,),
        )
        connection.commit()
    return found


async def filled(environment: dict[str, str]) -> dict[str, str]:
    async with composition.opened(Settings.from_environment(environment), prepared=True) as service:
        now = service.clock.now()

        def pay(work: UnitOfWork, asked: NewPayment, amount: str | None = None) -> str:
            payment = payments.create(work, asked)
            money = payment.amount
            sighting = Sighting(
                tx_hash=payment.reference, amount=Decimal(amount or money.decimal), currency=money.currency,
                to_account="sokha@aclb", sent_at=now,
            )  # fmt: skip
            settling.settle(work, payment.id, Outcome(answer=Answer.FOUND, asked_at=now, sighting=sighting))
            return payment.reference

        def fill(work: UnitOfWork) -> dict[str, str]:
            work = evolve(work, now=now)
            endpoint, _ = endpoints.create(work, NewEndpoint(url="https://shop.example/hooks"))
            unit = evolve(work, now=now + timedelta(seconds=1))
            open_one = payments.create(unit, NewPayment(amount=Money(250, "USD"), user_id="v")).reference
            pay(unit, NewPayment(amount=Money(250, "USD"), user_id="w"), "0.01")
            pay(unit, NewPayment(user_id="u", plan="PREMIUM"))
            dispatching.dispatch(unit)
            key = keys.create(unit, NewKey(name="till", scopes=frozenset({"metrics"}), is_test=True)).key_id
            link = selling.create(unit, NewLink(amount=Money(250, "USD"))).reference
            return {"payment": open_one, "endpoint": endpoint.reference, "key": key, "link": link}

        found = await service.run("user", fill)

        def look(connection: Any) -> dict[str, str]:
            one = connection.exec_driver_sql
            columns = "(id, delivery_id, duration_ms, at)"
            one(f"INSERT INTO delivery_attempts {columns} SELECT 1, MIN(id), 1, 1 FROM deliveries")
            return {
                "review": one("SELECT reference FROM review_items").scalar_one(),
                "subscription": one("SELECT reference FROM subscriptions").scalar_one(),
                "delivery": one("SELECT reference FROM deliveries ORDER BY id").scalars().first(),
            }

        found |= await service.executor.run(look)
    return found | {"today": datetime.now(UTC).astimezone(PHNOM_PENH).date().isoformat()}


@pytest.fixture
def walk(names: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Walk:
    """Run a command: its exit code, and what it printed on standard output and on standard error."""
    monkeypatch.setenv("COLUMNS", "5000")

    def run(line: str, *more: str) -> tuple[int, str, str]:
        words = [HOSTILE if word == "HOSTILE" else word.format(**names) for word in line.split()]
        with pytest.raises(SystemExit) as ended:
            app([*words, *more])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def commands_of(node: Any, before: str = "") -> Iterator[str]:
    for name in node:
        if not name.startswith("-"):
            inner = node[name]
            deeper = [] if inner.default_command is not None else list(commands_of(inner, f"{before}{name} "))
            yield from deeper or [f"{before}{name}"]


def test_every_command_is_walked() -> None:
    walked = {line for line, _ in COMMANDS}
    missing = [
        command
        for command in commands_of(app)
        if command not in NOT_WALKED and not any(line.startswith(command) for line in walked)
    ]
    assert missing == []


def test_every_command_prints_users_text_as_text(walk: Walk) -> None:
    for line, shows in COMMANDS:
        as_json = ("--format", "json") if line.startswith(("reconcile", "report")) else ("--json",)
        seen: list[str] = []
        for more in ((), as_json):
            code, out, err = walk(line, *more)
            where = f"{line} {more}: {code}: {out!r} {err!r}"
            assert code in (0, 1, 2), where
            assert not ACTS & set(out + err), where
            assert "Traceback" not in out + err, where
            if more and out:
                json.loads(out)
            seen.append(out + err)
        assert not shows or any(SHOWN in each for each in seen), seen  # the second time an action may be refused


def test_no_cell_of_a_spreadsheet_is_a_formula(walk: Walk) -> None:
    code, printed, _ = walk("reconcile {today}", "--format", "csv")
    assert code == 0, printed
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert rows
    for row in rows:
        assert {row["user_id"][:7], row["external_ref"][:7]} == {"'=1+2[/"}
        assert not [cell for cell in row.values() if cell.startswith(tuple("=+-@\t\r"))]
    assert not ACTS & set(printed)
