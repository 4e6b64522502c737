"""`bakong-service doctor`, run in this process on a database of the test's own and a simulator on a port."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import anyio
import pytest

from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import serve
from bakong_service import app as composition
from bakong_service.cli.app import app
from bakong_service.settings import Settings
from bakong_service.storage.bakong import token as tokens

Doctor = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def simulator() -> Iterator[tuple[BakongSimulator, str]]:
    simulator = BakongSimulator()
    with serve(simulator) as url:
        yield simulator, url


@pytest.fixture
def settings(
    environment: dict[str, str],
    sqlite_url: str,
    simulator: tuple[BakongSimulator, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """The settings of the environment, whose database has this version's schema."""
    made = simulator[0].issue_token()
    environment |= {"DATABASE_URL": sqlite_url, "BAKONG_BASE_URL": simulator[1], "BAKONG_DEVELOPER_TOKEN": made}
    environment |= {"BAKONG_EMAIL": "shop@example.test"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("KHQR_LANGUAGE", "LC_ALL", "LANG"):
        monkeypatch.delenv(name, raising=False)
    found = Settings.from_environment(environment)
    anyio.run(composition.migrate, found)
    return found


@pytest.fixture
def doctor(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Run the doctor: its exit code, and the lines that it printed."""
    monkeypatch.setattr("bakong_service.cli.logs.configure", lambda *_: None)  # the logs of this process are the tests'

    def run(*options: str) -> tuple[int, list[str]]:
        with pytest.raises(SystemExit) as ended:
            app(("doctor", *options))
        return int(ended.value.code or 0), capsys.readouterr().out.splitlines()

    return run


def codes(printed: tuple[int, list[str]]) -> dict[str, str]:
    """Return the verdict of each finding that was printed as JSON. Logs of this process may stand before it."""
    found = json.loads("\n".join(printed[1][printed[1].index("[") :]))
    return {each["code"]: each["verdict"] for each in found}


def test_all_is_well(doctor: Doctor) -> None:
    code, lines = doctor()
    assert (code, {line[0] for line in lines}) == (0, {"✓"})
    assert "✓ The settings can be used; the mode is test." in lines
    assert "✓ Bakong accepts the token." in lines


def test_it_speaks_khmer_if_the_option_or_the_locale_asks_for_it(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    khmer = "✓ ការកំណត់អាចប្រើបាន ហើយរបៀបគឺ test។"
    assert doctor("--language", "km")[1][0] == khmer
    monkeypatch.setenv("LANG", "km_KH.UTF-8")
    assert doctor()[1][0] == khmer
    assert doctor("--language", "en")[1][0] == "✓ The settings can be used; the mode is test."


def test_every_wrong_setting_is_a_finding(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKONG_DAILY_LIMIT", "many")
    monkeypatch.setenv("BAKONG_MERCHANT_ID", "shop")
    code, lines = doctor()
    assert code == 1
    assert [line.split(": ")[1].split()[0] for line in lines if line.startswith("✗ A setting is wrong")] == [
        "BAKONG_DAILY_LIMIT",
        "BAKONG_MERCHANT_ID",
    ]


def test_a_token_that_cant_be_renewed_is_a_warning(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAKONG_EMAIL")
    printed = doctor("--json")
    assert (printed[0], codes(printed)["email_missing"]) == (0, "warning")


def test_a_database_without_the_schema_says_how_to_get_it_and_isnt_changed(
    doctor: Doctor, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings.database_url.reveal().removeprefix("sqlite:///") + ".new"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    code, lines = doctor()
    assert (code, "bakong-service migrate" in lines[-1]) == (1, True)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere", "database_unreachable"),
        ("ENCRYPTION_KEY", "another-key-of-32-characters-ab!", "database_unfit"),
    ],
)
def test_a_database_that_cant_be_used_is_a_finding_by_its_cause(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, name: str, value: str, finding: str
) -> None:
    monkeypatch.setenv(name, value)
    printed = doctor("--json")
    assert (printed[0], list(codes(printed).items())[-1]) == (1, (finding, "failure"))


def test_its_calls_are_counted_and_if_none_is_left_the_token_isnt_tried(
    doctor: Doctor, simulator: tuple[BakongSimulator, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAKONG_DAILY_LIMIT", "3")
    assert "token_accepted" in codes(doctor("--json"))
    simulator[0].requests.clear()
    printed = doctor("--json")
    found = codes(printed)
    assert (printed[0], found["budget_spent"], found["door_open"]) == (0, "warning", "ok")
    assert not {"token_accepted", "token_missing"} & found.keys()
    assert [each.status for each in simulator[0].requests] == [401]  # the one that is sent without a token


def test_what_to_do_is_what_an_operator_of_the_service_can_do(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKONG_DEVELOPER_TOKEN", "a-token-that-nobody-issued")
    code, lines = doctor()
    assert (code, "BAKONG_DEVELOPER_TOKEN" in lines[-1]) == (1, True)


def test_a_token_that_the_service_has_renewed_is_the_one_that_is_tried(
    doctor: Doctor, settings: Settings, simulator: tuple[BakongSimulator, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, renewed = "a-token-that-was-replaced", simulator[0].issue_token()
    monkeypatch.setenv("BAKONG_DEVELOPER_TOKEN", setting)

    async def renew() -> None:
        async with composition.opened(settings) as service:
            vault, now = service.business.vault, service.clock.now()
            stored = await service.executor.run(lambda c: tokens.adopt(c, vault, setting=setting, expires_at=None))
            fence = await service.executor.run(lambda c: tokens.lease(c, stored, lasting=timedelta(minutes=1), now=now))
            assert fence is not None
            await service.executor.run(lambda c: tokens.store(c, vault, text=renewed, expires_at=None, fence=fence))

    anyio.run(renew)
    assert codes(doctor("--json"))["token_accepted"] == "ok"
