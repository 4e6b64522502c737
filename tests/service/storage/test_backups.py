"""A backup has everything that was acknowledged before it began, and a restore brings it back or changes nothing."""

import asyncio
import os
import shlex
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment
from bakong_service.settings.database_url import OPTIONS
from bakong_service.storage.backups import postgresql_programs, postgresql_session
from bakong_service.storage.backups.backing_up import back_up
from bakong_service.storage.backups.contents import is_empty
from bakong_service.storage.backups.new_file import new_file
from bakong_service.storage.backups.refused import CopyRefused
from bakong_service.storage.backups.restoring import restore
from bakong_service.storage.engine import opening
from bakong_service.storage.engine.executor import DatabaseUnavailable, Executor
from bakong_service.storage.engine.sqlite import SqliteExecutor
from bakong_service.storage.payments import payments as rows
from kit.business import a_business
from kit.patience import patient
from kit.till import Till

pytestmark = pytest.mark.anyio


def quietly(_done: int, _of: int | None) -> None:
    """Hear how far a long work is, and do nothing."""


async def test_a_backup_beside_a_working_service_has_every_payment_that_was_acknowledged_before(
    till: Till, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    acknowledged: list[Payment] = []
    sold = asyncio.Condition()

    async def sell() -> None:
        while True:
            acknowledged.append(await till.pay(await till.create(amount=Money(250, "USD"))))
            async with sold:
                sold.notify_all()

    async def until_sold(count: int) -> None:
        async with sold:
            await sold.wait_for(lambda: len(acknowledged) >= count)

    selling = asyncio.create_task(sell())
    await until_sold(5)
    before = list(acknowledged)
    made = await back_up(database_url, tmp_path / "backup", quietly)
    await until_sold(len(before) + 1)  # the shop goes on selling
    selling.cancel()
    await asyncio.wait({selling})
    await restore(tmp_path / "backup", empty_url, quietly)
    executor = patient(empty_url)
    await executor.start()
    restored = Till(executor, till.business, till.clock)
    assert [(await restored.payment(each)).status for each in before] == ["paid"] * len(before)
    assert made.contents.payments >= len(before)
    assert made.contents.ledger_entries > 0
    assert await restored.violations() == []
    await restored.pay(await restored.create(amount=Money(100, "USD")))  # it goes on
    assert await restored.violations() == []
    await executor.close()


async def test_a_backup_has_what_is_only_in_the_wal(sqlite_url: str, tmp_path: Path) -> None:
    path = Path(make_url(sqlite_url).database or "")
    executor = SqliteExecutor(str(path))
    await executor.start()
    payment = await Till(executor).create()
    plain, whole = tmp_path / "plain.db", tmp_path / "whole.db"
    shutil.copy(path, plain)
    made = await back_up(sqlite_url, whole, quietly)
    await executor.close()
    assert (found(plain, payment), found(whole, payment)) == (0, 1)
    assert made.contents.payments == 1
    assert made.size_bytes == whole.stat().st_size
    assert {name for name in names(tmp_path) if "part" in name or name.startswith("whole.db-")} == set()


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def damage(path: Path, to: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8 * 4096 : 12 * 4096] = b"\xff" * 4 * 4096
    to.write_bytes(content)


def found(file: Path, payment: Payment) -> int:
    with closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as connection:
        query = "SELECT count(*) FROM payments WHERE reference = ?"
        count: int = connection.execute(query, [payment.reference]).fetchone()[0]
        return count


async def test_the_wal_goes_into_the_file_now_and_then(sqlite_url: str, tmp_path: Path) -> None:
    path = Path(make_url(sqlite_url).database or "")
    executor = SqliteExecutor(str(path), checkpoint_seconds=0.01)
    await executor.start()
    payment = await Till(executor).create()
    plain = tmp_path / "plain.db"
    async with asyncio.timeout(10):
        while not found(Path(shutil.copy(path, plain)), payment):  # noqa: ASYNC110 - the timer is a thread's
            await asyncio.sleep(0.01)
    await executor.close()


async def test_the_wal_goes_into_the_file_at_the_stop_though_others_read_the_file(sqlite_url: str) -> None:
    path = Path(make_url(sqlite_url).database or "")
    executor = SqliteExecutor(str(path))
    await executor.start()
    payment = await Till(executor).create()
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("SELECT count(*) FROM payments").fetchone()
        await executor.close()
        assert found(path, payment) == 1
        assert path.with_name(f"{path.name}-wal").stat().st_size == 0


async def test_a_checkpoint_that_fails_is_told_and_stops_nothing(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    executor = SqliteExecutor(sqlite_url.removeprefix("sqlite:///"))
    await executor.start()
    with monkeypatch.context() as patched:
        patched.setattr("bakong_service.storage.engine.sqlite._raw", lambda _: raise_full())
        await executor.close()
    assert "sqlite_checkpoint_failed" in capsys.readouterr().out


def raise_full() -> sqlite3.Connection:
    raise sqlite3.OperationalError("database or disk is full")


async def test_a_backup_is_the_owners_alone_and_overwrites_nothing(
    executor: Executor, till: Till, database_url: str, tmp_path: Path
) -> None:
    to = tmp_path / "backup"
    await back_up(database_url, to, quietly)
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    before = to.read_bytes()
    with pytest.raises(CopyRefused, match="is there already, and isn't overwritten"):
        await back_up(database_url, to, quietly)
    assert to.read_bytes() == before
    with pytest.raises(CopyRefused, match="no file can be made in"):
        await back_up(database_url, tmp_path / "none" / "backup", quietly)


async def test_there_is_no_backup_of_nothing(tmp_path: Path, empty_url: str) -> None:
    with pytest.raises(CopyRefused, match=r"there is no such file|without the tables of the service"):
        await back_up(empty_url, tmp_path / "backup", quietly)
    assert not (tmp_path / "backup").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(CopyRefused, match="without the tables of the service"):
        await back_up(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path / "backup", quietly)
    assert {name for name in names(tmp_path) if name.endswith(".part")} == set()


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    def both() -> None:
        with new_file(tmp_path / "backup") as part:
            part.write_text("mine")
            (tmp_path / "backup").write_text("another's")

    with pytest.raises(CopyRefused, match="is there already"):
        both()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("backup", "another's")]


class TestRestoring:
    async def test_a_target_that_isnt_empty_is_refused_and_stays(
        self, till: Till, executor: Executor, database_url: str, tmp_path: Path
    ) -> None:
        await back_up(database_url, tmp_path / "backup", quietly)
        later = await till.create()
        with pytest.raises(CopyRefused, match=r"isn't empty|was left by another database"):
            await restore(tmp_path / "backup", database_url, quietly)
        assert await till.read(rows.by_id, later.id) is not None

    async def test_a_closed_file_with_tables_is_refused(self, sqlite_url: str, tmp_path: Path) -> None:
        await back_up(sqlite_url, tmp_path / "backup", quietly)
        assert names(tmp_path) == {"payments.db", "backup"}, "nothing is left beside a database that nobody uses"
        with pytest.raises(CopyRefused, match="isn't empty: a backup is restored to a new file"):
            await restore(tmp_path / "backup", sqlite_url, quietly)

    async def test_the_journal_of_another_database_is_refused(self, sqlite_url: str, tmp_path: Path) -> None:
        await back_up(sqlite_url, tmp_path / "backup", quietly)
        (tmp_path / "new.db-wal").write_bytes(b"old")
        with pytest.raises(CopyRefused, match=r"new\.db-wal was left by another database"):
            await restore(tmp_path / "backup", f"sqlite:///{tmp_path / 'new.db'}", quietly)
        assert not (tmp_path / "new.db").exists()

    @pytest.mark.postgres
    async def test_a_backup_of_the_other_kind_is_refused(
        self, sqlite_url: str, empty_postgresql_url: str, tmp_path: Path
    ) -> None:
        await back_up(sqlite_url, tmp_path / "backup", quietly)
        with pytest.raises(CopyRefused, match="is a SQLite file: restore it to sqlite:///file first"):
            await restore(tmp_path / "backup", empty_postgresql_url, quietly)
        (tmp_path / "archive").write_bytes(b"PGDMP...")
        with pytest.raises(CopyRefused, match="is an archive of PostgreSQL"):
            await restore(tmp_path / "archive", f"sqlite:///{tmp_path / 'new.db'}", quietly)
        with pytest.raises(CopyRefused, match=r"(?s)pg_restore failed:.*version"):
            await restore(tmp_path / "archive", empty_postgresql_url, quietly)
        executor = patient(empty_postgresql_url)
        await executor.start()
        assert await executor.read(is_empty)
        await executor.close()

    async def test_what_is_no_backup_is_refused(self, sqlite_url: str, tmp_path: Path) -> None:
        target = f"sqlite:///{tmp_path / 'new.db'}"
        with pytest.raises(CopyRefused, match="can't be read: No such file"):
            await restore(tmp_path / "none", target, quietly)
        (tmp_path / "text").write_text("not a backup")
        with pytest.raises(CopyRefused, match="is no backup"):
            await restore(tmp_path / "text", target, quietly)
        path = Path(make_url(sqlite_url).database or "")
        damage(path, tmp_path / "damaged")
        with pytest.raises(CopyRefused, match=r"is damaged|can't be copied"):
            await restore(tmp_path / "damaged", target, quietly)
        assert not (tmp_path / "new.db").exists()


@pytest.mark.postgres
@pytest.mark.skipif(os.name == "nt", reason="a program for the test is a shell script")
class TestThePrograms:
    SECRET = "planted-password"

    @pytest.fixture
    def program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The pg_dump of this test, which writes down how it was called. `version` makes it."""
        folder = tmp_path / "programs"
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder))
        return folder / "pg_dump"

    def version(self, program: Path, number: int) -> None:
        program.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = --version ] && echo "pg_dump (PostgreSQL) {number}.1" && exit 0\n'
            f'echo "$@" > {program}.arguments; /usr/bin/env > {program}.environment; echo "it broke" >&2; exit 1\n'
        )
        program.chmod(0o700)

    def with_password(self, url: str) -> str:
        return make_url(url).set(password=self.SECRET).render_as_string(hide_password=False)

    async def test_the_password_is_in_the_environment_and_never_among_the_arguments(
        self, program: Path, postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ENCRYPTION_KEY", "planted-key")
        self.version(program, 99)
        with pytest.raises(CopyRefused, match=r"pg_dump failed:\nit broke") as refused:
            await back_up(self.with_password(postgresql_url), tmp_path / "backup", quietly)
        arguments, environment = (
            program.with_name(f"pg_dump.{name}").read_text() for name in ("arguments", "environment")
        )
        assert f"PGPASSWORD={self.SECRET}" in environment
        assert f"PGDATABASE={make_url(postgresql_url).database}" in environment
        assert "planted-key" not in environment
        assert {"--format=custom", "--no-owner", "--no-acl", "--no-password"} <= set(arguments.split())
        assert self.SECRET not in arguments + str(refused.value)
        assert not (tmp_path / "backup").exists()

    @pytest.mark.parametrize(
        ("number", "reason"), [(None, "isn't on the PATH"), (9, "is of version 9, which is older than the server")]
    )
    async def test_without_a_good_program_the_command_to_run_is_said(
        self, program: Path, postgresql_url: str, tmp_path: Path, number: int | None, reason: str
    ) -> None:
        if number is not None:
            self.version(program, number)
        to = tmp_path / "a backup"
        with pytest.raises(CopyRefused, match=reason) as refused:
            await back_up(self.with_password(postgresql_url), to, quietly)
        shown = postgresql_url.replace(":@", "@")  # where the server wants no password, its URL may have an empty one
        words = ["--format=custom", "--no-owner", "--no-acl", f"--file={to}", f"--dbname={shown}"]
        assert str(refused.value).split("\n")[1] == shlex.join(["pg_dump", *words])
        assert not to.exists()

    def test_every_option_of_the_url_reaches_the_programs(self) -> None:
        assert set(OPTIONS) - set(postgresql_programs.VARIABLES) == {"sslpassword"}
        url = "postgresql://dara:pw@db.internal:6432/shop?sslmode=require&application_name=a"
        found = postgresql_programs.environment(url)
        assert {name: found[name] for name in ("PGUSER", "PGHOST", "PGPORT", "PGSSLMODE", "PGAPPNAME")} == {
            "PGUSER": "dara", "PGHOST": "db.internal", "PGPORT": "6432", "PGSSLMODE": "require", "PGAPPNAME": "a",
        }  # fmt: skip
        with pytest.raises(CopyRefused, match="sslpassword"):
            postgresql_programs.environment(f"{url}&sslpassword=planted")
        by_hand = postgresql_programs.by_hand(f"{url}&sslpassword=planted", "pg_restore", ["--exit-on-error", "file"])
        assert by_hand == (
            "pg_restore --exit-on-error "
            "'--dbname=postgresql://dara@db.internal:6432/shop?application_name=a&sslmode=require' file"
        )


@pytest.mark.postgres
async def test_trouble_with_the_connection_is_told_as_that(postgresql_url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="the database doesn't answer"):
        async with postgresql_session.session(postgresql_url) as link:
            await link.execute("SELECT 1/0")


async def test_a_restored_database_opens_as_this_versions(
    till: Till, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    await back_up(database_url, tmp_path / "backup", quietly)
    await restore(tmp_path / "backup", empty_url, quietly)
    executor = await opening.open_database(empty_url, bring_forward=False)
    assert await Till(executor, a_business(), till.clock).violations() == []
    await executor.close()
