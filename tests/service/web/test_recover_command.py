"""`recover`, as an operator runs it after a restore; Bakong is the simulator, on a port."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define
from sqlalchemy import Connection, delete

from bakong_khqr import KHQR
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import serve
from bakong_service import app as composition
from bakong_service import resources
from bakong_service.cli.app import app
from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment, Payment
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.recovery.lost_payments_file import LostPaymentsFileError, read_lost_payments
from bakong_service.operations.unit_of_work import UnitOfWork, transaction
from bakong_service.settings import Settings
from bakong_service.settings.database_url import name_without_secrets
from bakong_service.storage import triggers
from bakong_service.storage.schema import events, payment_history
from bakong_service.storage.schema import payments as rows
from bakong_service.storage.webhooks import outbox

Recover = Callable[..., tuple[int, str, str]]
NEWER = "this database has entries until"
SINCE = ("--since", "2026-01-01T00:00:00+07:00")


@pytest.fixture
def bakong(monkeypatch: pytest.MonkeyPatch) -> Iterator[BakongSimulator]:
    simulator = BakongSimulator()
    with serve(simulator) as url:
        monkeypatch.setenv("BAKONG_BASE_URL", url)
        yield simulator


@pytest.fixture
def recover(
    bakong: BakongSimulator,
    environment: dict[str, str],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Recover:
    """Run `recover`: its exit code, and what it printed on standard output and standard error."""
    environment |= {"DATABASE_URL": database_url, "BAKONG_BASE_URL": os.environ["BAKONG_BASE_URL"]}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("bakong_service.cli.logs.configure", lambda *_: None)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            app(["recover", *words])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@define
class Made:
    """A payment, its payload, and the body of its event as a receiver got it."""

    payment: Payment
    payload: str
    event: str


@pytest.fixture
def lost(recover: Recover, environment: dict[str, str]) -> list[Made]:
    """Three payments that the backup doesn't have."""

    async def make() -> list[Made]:
        async with composition.opened(Settings.from_environment(environment)) as service:
            now = service.clock.now() - timedelta(minutes=1)

            def operation(work: UnitOfWork) -> list[Made]:
                connection, made = work.connection, []
                for amount in (250, 300, 350):
                    asked = NewPayment(amount=Money(amount, "USD"), user_id="u")
                    payment = payments.create(work, asked)
                    payload = service.business.vault.open(payment.qr, f"payments.qr_enc.{payment.reference}")
                    (event,) = [e for e in outbox_of(connection) if e.subject == payment.reference]
                    made.append(Made(payment, payload, resources.Event.of(event).body().decode()))
                triggers.drop(connection)
                for table in (events, payment_history, rows):
                    connection.execute(delete(table))
                triggers.create(connection)
                return made

            return await service.executor.run(transaction(service.business, "user", now, operation))

    return anyio.run(make)


def outbox_of(connection: Connection) -> Any:
    ids = list(connection.execute(events.select()).mappings())
    return outbox.by_ids(connection, [row["id"] for row in ids]).values()


def test_money_of_lost_payments_is_found_by_event_payload_and_md5(
    recover: Recover, bakong: BakongSimulator, lost: list[Made], tmp_path: Path
) -> None:
    by_event, by_payload, by_md5 = lost
    bakong.pay(by_event.payload)
    bakong.pay(by_payload.payload)
    log, codes, report = tmp_path / "receiver.log", tmp_path / "codes", tmp_path / "report.jsonl"
    log.write_text(by_event.event + "\n\n", encoding="utf-8")
    codes.write_text(f"{by_payload.payload}\n{by_md5.payment.md5.upper()}\n{by_event.payment.md5}\n", encoding="utf-8")
    files = ("--from", str(log), "--from", str(codes), "--report", str(report))
    code, printed, progress = recover(*SINCE, *files, "--operator", "dara", "--json")
    assert code == 3
    told = json.loads(printed)
    assert (told["is_new_epoch"], told["looked_at_again"], told["money"], told["not_found"]) == (True, 0, 2, 1)
    first, second, third = told["found"]
    assert (first["reference"], first["event"]) == (by_event.payment.reference, "payment.created")
    assert (first["amount"], first["expected_amount"], first["user_id"]) == ("2.50", "2.50", "u")
    assert (second["md5"], second["reference"]) == (by_payload.payment.md5, None)
    assert (third["finding"], third["amount"]) == ("not_found", None)
    assert [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()] == told["found"]
    assert "3 of 3 payments have an answer" in progress
    code, printed, _ = recover(*SINCE, *files)
    assert code == 3
    assert by_event.payment.md5 in printed


def test_a_recovery_without_a_file_ends_with_0_and_begins_one_epoch(recover: Recover) -> None:
    code, printed, _ = recover(*SINCE, "--json")
    assert (code, json.loads(printed)["is_new_epoch"]) == (0, True)
    code, printed, _ = recover(*SINCE, "--json")
    assert (code, json.loads(printed)["is_new_epoch"]) == (0, False)


def test_payments_that_bakong_doesnt_answer_for_are_to_be_asked_for_again(
    recover: Recover, bakong: BakongSimulator, lost: list[Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bakong.configure(md5_list_closed=True)  # the list's refusal uses up the one call
    monkeypatch.setenv("BAKONG_DAILY_LIMIT", "1")
    codes = tmp_path / "codes"
    codes.write_text("\n".join(made.payload for made in lost), encoding="utf-8")
    code, printed, _ = recover(*SINCE, "--from", str(codes), "--report", str(tmp_path / "no" / "report"), "--json")
    assert code == 4
    assert json.loads(printed[printed.index("{") :])["unanswered"] == 3  # after a line of the log
    monkeypatch.setenv("BAKONG_DAILY_LIMIT", "off")
    assert recover(*SINCE, "--from", str(codes))[0] == 0


def test_a_line_that_may_be_a_payment_and_isnt_understood_ends_the_command_before_anything_is_done(
    recover: Recover, tmp_path: Path
) -> None:
    codes = tmp_path / "codes"
    codes.write_text("pay_1\n", encoding="utf-8")
    code, _, told = recover(*SINCE, "--from", str(codes))
    assert code == 2
    assert f"{codes}: line 1 isn't a KHQR payload" in told
    assert json.loads(recover(*SINCE, "--json")[1])["is_new_epoch"]


def test_a_backup_of_the_future_ends_the_command(recover: Recover) -> None:
    code, _, told = recover("--since", "2100-01-01T00:00:00Z")
    assert code == 1
    assert "a moment in the past" in told


def test_the_command_explains_itself(recover: Recover) -> None:
    code, printed, _ = recover("--help")
    assert code == 0
    assert "--since" in printed
    assert "--from" in printed


MD5 = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("{", "can't be read as JSON"),
        ("[" * 100_000, "longer than 65536 characters"),
        ('{"a":' * 13_000, "can't be read as JSON"),
        ('{"type": "payment.lost"}', "isn't a type of event"),
        ('{"type": "payment.paid", "data": []}', "an object `data` and a whole number `sequence`"),
        ('{"type": "payment.paid", "data": {}, "sequence": 1}', "md5 is null; it takes 32 hexadecimal digits"),
        ('{"reference": 1}', "reference is 1; it takes a string"),
        ('{"md5": "0123"}', 'md5 is "0123"; it takes 32 hexadecimal digits'),
        ("0002", "isn't a KHQR payload"),
    ],
)
def test_a_line_that_cant_be_used_says_which_and_why(tmp_path: Path, line: str, rule: str) -> None:
    path = tmp_path / "lost"
    path.write_text(f"{MD5}\n{line}\n", encoding="utf-8")
    with pytest.raises(LostPaymentsFileError) as refused:
        read_lost_payments(path)
    assert rule in str(refused.value)
    assert "line 2" in str(refused.value)


def test_what_several_lines_say_of_one_payment_is_joined_and_the_newest_event_wins(tmp_path: Path) -> None:
    khqr = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Sokha", merchant_city="Phnom Penh")
    data = {"md5": khqr.md5, "reference": "pay_1", "amount": "2.50", "currency": "USD"}
    lines = [
        {"type": "payment.paid", "sequence": 3, "data": data},
        {"type": "payment.created", "sequence": 1, "data": {**data, "user_id": "u1"}},
        {"type": "subscription.activated", "sequence": 1, "data": {}},
        {"reference": "pay_1", "md5": khqr.md5.upper(), "qr": khqr.payload},
    ]
    path = tmp_path / "lost"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    (found,) = read_lost_payments(path).values()
    assert (found.md5, found.event, found.user_id, found.amount) == (khqr.md5, "payment.paid", "u1", "2.50")
    path.write_text(json.dumps({"md5": MD5, "qr": khqr.payload}), encoding="utf-8")
    with pytest.raises(LostPaymentsFileError, match="but the MD5 of `qr` is"):
        read_lost_payments(path)


def test_a_file_that_isnt_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(LostPaymentsFileError, match="none"):
        read_lost_payments(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    with pytest.raises(LostPaymentsFileError, match="latin"):
        read_lost_payments(tmp_path / "latin")


@pytest.mark.usefixtures("lost")
def test_it_names_the_database_and_warns_of_entries_that_no_backup_of_that_moment_has(
    recover: Recover, database_url: str
) -> None:
    _, _, err = recover(*SINCE)
    assert f"DATABASE_URL names {name_without_secrets(database_url)}, and recover works on it" in err
    assert NEWER in err
    assert NEWER not in recover(*SINCE)[2], "its recovery has begun already"


def test_the_name_of_a_database_has_no_password() -> None:
    for url in ("postgresql://shop:planted@db.internal:5433/payments?sslmode=require",
                "postgresql://shop@:5433/?host=db.internal&dbname=payments&password=planted"):  # fmt: skip
        assert name_without_secrets(url) == "postgresql://shop@db.internal:5433/payments"
    assert name_without_secrets("sqlite:////var/lib/shop/payments.db") == "sqlite:////var/lib/shop/payments.db"
