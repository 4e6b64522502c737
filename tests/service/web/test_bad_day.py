"""What an operator runs on a bad day: `backup`, `restore` and `copy`, and `init` before the first good one."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import delete

from bakong_service import app as composition
from bakong_service.cli import app as commands
from bakong_service.cli import progress
from bakong_service.cli.stage import free_port
from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment, Payment
from bakong_service.operations.payments import requests as payments
from bakong_service.settings import Settings, SettingsError
from bakong_service.settings.strength import weakness
from bakong_service.storage.engine import belonging
from bakong_service.storage.schema import database_mode
from kit.service import ENVIRONMENT

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    database_url: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command: its exit code, and what it printed on standard output and standard error, without a secret."""
    environment["DATABASE_URL"] = database_url
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("bakong_service.cli.logs.configure", lambda *_: None)
    secrets = [environment[name] for name in ("MAIN_BACKEND_API_KEY", "KEY_PEPPER", "ENCRYPTION_KEY")]

    def called(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            commands.app(words)
        printed = capsys.readouterr()
        assert [secret for secret in secrets if secret in printed.out + printed.err] == []
        return int(ended.value.code or 0), printed.out, printed.err

    return called


@pytest.fixture
def payment(run: Run, environment: dict[str, str]) -> Payment:
    """A payment in the database of the settings."""
    return anyio.run(create, environment)


async def create(environment: dict[str, str], ago: timedelta = timedelta(0)) -> Payment:
    """Create a payment, in a database that was opened then."""
    async with composition.opened(Settings.from_environment(environment)) as service:
        if ago:
            await service.executor.run(lambda connection: connection.execute(delete(database_mode)))
            service.clock.offset = ago
            await belonging.prove(service.executor, service.business.vault, mode="test", now=service.clock.now())
        return await service.run("user", lambda work: payments.create(work, NewPayment(amount=Money(250, "USD"))))


def told(answer: tuple[int, str, str]) -> Any:
    code, out, err = answer
    assert code == 0, out + err
    return json.loads(out[out.index("{") :])  # the logs of the tests go to standard output, before it


def test_a_backup_is_restored_checked_and_its_recovery_begins(
    run: Run, payment: Payment, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "backup")
    made = told(run("backup", file, "--json"))
    assert (made["object"], made["file"], made["payments"], made["ledger_entries"]) == ("backup", file, 1, 0)
    assert made["newest_audit_entry"]["action"] == "payment.created"
    assert made["size_bytes"] == Path(file).stat().st_size
    code, _, err = run("backup", file)
    assert (code, "isn't overwritten" in err) == (1, True)
    restored = told(run("restore", file, "--to", empty_url, "--json"))
    assert (restored["promises_hold"], restored["payments"], restored["violations"]) == (True, 1, [])
    recovery, steps = restored["recovery"], restored["next"]
    assert (recovery["is_new_epoch"], recovery["looked_at_again"]) == (True, 1)
    assert recovery["since"] < made["newest_at"]
    assert "Set DATABASE_URL" in steps[0]
    assert f"bakong-service recover --since {recovery['since']} --from FILE" in steps[1]
    code, _, err = run("restore", file, "--to", empty_url)
    assert (code, "empty" in err) == (1, True)
    monkeypatch.setenv("DATABASE_URL", empty_url)
    again = told(run("recover", "--since", recovery["since"], "--json"))
    assert (again["epoch"], again["is_new_epoch"]) == (recovery["epoch"], False)


def test_a_payment_that_is_overdue_since_an_old_backup_breaks_no_promise(
    run: Run, environment: dict[str, str], empty_url: str, tmp_path: Path
) -> None:
    anyio.run(create, environment, timedelta(hours=-5))
    file = str(tmp_path / "backup")
    assert run("backup", file)[0] == 0
    assert run("verify")[0] == 1, "no service looks at it any more"
    restored = told(run("restore", file, "--to", empty_url, "--json"))
    assert (restored["violations"], restored["recovery"]["looked_at_again"]) == ([], 1)


def test_a_move_of_a_stopped_service_begins_no_epoch(
    run: Run, payment: Payment, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "backup")
    assert run("backup", file)[0] == 0
    monkeypatch.setenv("DATABASE_URL", empty_url)
    code, out, err = run("restore", file, "--no-recover")
    assert code == 0, err
    assert "1. Start the service: bakong-service serve" in out


def test_a_restored_database_that_other_keys_sealed_is_told_as_unchecked(
    run: Run, payment: Payment, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "backup")
    assert run("backup", file)[0] == 0
    monkeypatch.setenv("ENCRYPTION_KEY", "another-key-of-the-tests-0a1b2c3d4e")
    code, _, err = run("restore", file, "--to", empty_url)
    assert code == 1
    assert "the backup is restored, but it isn't checked: ENCRYPTION_KEY isn't the key" in err
    assert re.search(r"set DATABASE_URL to the restored database, .* recover --since 20\d\d-\S+Z$", err.strip())


@pytest.mark.postgres
def test_a_copy_says_that_both_are_equal(
    run: Run, payment: Payment, database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    is_sqlite = database_url.startswith("sqlite")
    to = request.getfixturevalue("empty_postgresql_url") if is_sqlite else f"sqlite:///{tmp_path / 'copy.db'}"
    if is_sqlite:
        copied = told(run("copy", "--to", to, "--json"))
        assert (copied["payments"], copied["promises_hold"]) == (1, True)
        assert copied["rows_by_table"]["payment_history"] == 1
    else:
        code, out, err = run("copy", "--from", database_url, "--to", to)
        assert code == 0, err
        assert "Set DATABASE_URL of every process to the copy" in out
    code, _, err = run("copy", "--to", to)
    assert (code, "the target isn't empty" in err) == (1, True)


def test_a_copy_to_itself_and_to_nowhere_is_refused(run: Run, database_url: str) -> None:
    code, _, err = run("copy", "--to", database_url)
    assert (code, "name another one" in err) == (2, True)
    code, _, err = run("copy", "--to", "mysql://h/planted-password")
    assert (code, err) == (2, "bakong-service: --to: it takes sqlite:///file or postgresql://user:password@host/name\n")


def test_progress_is_told_from_the_third_second_on(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter([0.0, 1.0, 2.5, 3.0, 5.0, 9.0])
    tell = progress.telling(progress.rows, clock=lambda: next(seconds))
    for done, of in ((10, 5000), (1000, 5000), (2000, 5000), (0, None), (4000, None)):
        tell(done, of)
    assert capsys.readouterr().err.splitlines() == [
        "bakong-service: 1,000 rows of 5,000 rows after 2 s",
        "bakong-service: after 5 s",
        "bakong-service: 4,000 rows after 9 s",
    ]


class TestInit:
    @pytest.fixture
    def init(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
        def called(*words: str) -> tuple[int, str]:
            with pytest.raises(SystemExit) as ended:
                commands.app(["init", str(tmp_path / "shop.env"), *words])
            printed = capsys.readouterr()
            return int(ended.value.code or 0), printed.out + printed.err

        return called

    def settings(self, file: Path) -> dict[str, str]:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        return {name: "".join(shlex.split(value)) for name, _, value in (line.partition("=") for line in lines)}

    def test_a_file_for_the_simulator_has_every_setting_and_starts_as_it_is(
        self, init: Callable[..., tuple[int, str]], tmp_path: Path
    ) -> None:
        code, out = init()
        file = tmp_path / "shop.env"
        found = self.settings(file)
        assert code == 0
        assert [value for value in found.values() if len(value) == 64 and value in out] == []
        if os.name != "nt":
            assert file.stat().st_mode & 0o777 == 0o600
        settings = Settings.from_environment(found)
        assert (settings.mode, settings.database_url.reveal()) == (
            "test",
            f"sqlite:///{tmp_path / 'bakong-service.db'}",
        )
        text = file.read_text(encoding="utf-8")
        assert "\n#MERCHANT_CITY='Phnom Penh'\n" in text
        assert "\n#QR_LIFE='10 min'\n" in text
        assert (settings.public_url, settings.port) == ("http://127.0.0.1:3002", 3002)
        assert "127.0.0.0/8" in text
        before = file.read_bytes()
        code, out = init()
        assert (code, "isn't overwritten" in out) == (1, True)
        assert file.read_bytes() == before

    def test_a_file_for_live_mode_lacks_only_what_the_shop_knows(
        self, init: Callable[..., tuple[int, str]], tmp_path: Path
    ) -> None:
        assert init("--live")[0] == 0
        found = self.settings(tmp_path / "shop.env")
        with pytest.raises(SettingsError) as missing:
            Settings.from_environment(found)
        unknown = {"BAKONG_DEVELOPER_TOKEN", "BAKONG_MERCHANT_ID", "MERCHANT_NAME"}
        assert {problem.name for problem in missing.value.problems} == unknown
        assert '\nMERCHANT_NAME=""\n' in (tmp_path / "shop.env").read_text(encoding="utf-8")
        filled = found | {name: ENVIRONMENT[name] for name in unknown}
        assert Settings.from_environment(filled).mode == "live"

    def test_no_secret_that_live_mode_would_refuse_is_drawn(
        self, init: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn = iter(["01234567" * 8, *(f"{number:x}9f86d081884c7d659a2feaa0c55ad015b" for number in range(2, 6))])
        monkeypatch.setattr("secrets.token_hex", lambda _: next(drawn))
        assert init("--live")[0] == 0
        assert weakness(self.settings(tmp_path / "shop.env")["MAIN_BACKEND_API_KEY"]) is None

    @pytest.mark.skipif(os.name == "nt", reason="a shell reads the file")
    def test_a_service_starts_from_the_file(self, init: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
        assert init()[0] == 0
        port = free_port()
        serve = shlex.join([sys.executable, "-m", "bakong_service.cli", "serve", "--no-workers"])
        with (tmp_path / "log").open("wb") as log:
            service = subprocess.Popen(
                ["sh", "-c", f"set -a; . {tmp_path / 'shop.env'}; PORT={port}; exec {serve}"], stdout=log, stderr=log
            )
        try:
            key = self.settings(tmp_path / "shop.env")["MAIN_BACKEND_API_KEY"]
            answer = created(f"http://127.0.0.1:{port}", key, service, tmp_path / "log")
            assert answer.status_code == 201, answer.text
        finally:
            service.send_signal(signal.SIGTERM)
            assert service.wait(15) == 0
        assert (tmp_path / "bakong-service.db").exists()


def created(url: str, key: str, service: subprocess.Popen[bytes], log: Path) -> httpx.Response:
    """Create a payment at a service that is starting."""
    until = time.monotonic() + 120
    body, headers = {"amount": "1.00", "currency": "USD"}, {"Authorization": f"Bearer {key}"}
    while True:
        assert service.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < until
        try:
            return httpx.post(f"{url}/v1/payments", json=body, headers=headers, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)


class TestTheListOfCommands:
    def test_each_command_has_a_line_and_a_group(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["bakong-service", "--help"])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            commands.main()
        printed = capsys.readouterr().out
        assert not ended.value.code
        for title, members in commands.COMMANDS.items():
            assert f" {title} " in printed
            for name, _, line in members:
                assert f"│ {name} " in printed
                assert f" {line} " in printed

    def test_a_command_still_explains_itself_in_full(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["bakong-service", "backup", "--help"])
        with pytest.raises(SystemExit):
            commands.main()
        assert "The keys aren't in it" in capsys.readouterr().out
