"""A SQLite file is closed to others, isn't made in a directory that isn't there, and is one file by whatever name."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bakong_service.cli.exclusive import AlreadyRunning, alone
from bakong_service.storage.engine.executor import UnfitDatabase, connect
from bakong_service.storage.engine.opening import copy_beside, open_database
from bakong_service.storage.engine.sqlite_file import ready

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(os.name == "nt", reason="Windows has no such links and bits")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payments.db"


@pytest.fixture(autouse=True)
def _lenient_umask() -> object:
    before = os.umask(0o000)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()}


async def test_every_file_of_the_database_is_the_owners_alone(path: Path) -> None:
    url = f"sqlite:///{path}"
    with alone(url, "serve", "work"):
        executor = await open_database(url, bring_forward=True)
        found = modes(path.parent)
        await executor.close()
    assert {"payments.db", "payments.db-wal", "payments.db-shm", "payments.db.serve.lock"} <= found.keys()
    assert set(found.values()) == {0o600}


async def test_files_that_others_could_read_are_closed_to_them(path: Path) -> None:
    with closing(sqlite3.connect(path)) as before:
        before.execute("PRAGMA journal_mode = WAL")
        before.execute("CREATE TABLE t (n INTEGER)")
        before.commit()
        assert set(modes(path.parent).values()) == {0o644}
        executor = connect(f"sqlite:///{path}")
        await executor.start()
        assert set(modes(path.parent).values()) == {0o600}
        await executor.close()


def test_the_copy_beside_is_the_owners_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (n INTEGER)")
    assert stat.S_IMODE(copy_beside(path, "0001").stat().st_mode) == 0o600


async def test_a_directory_that_isnt_there_is_named_and_not_made(path: Path) -> None:
    url = f"sqlite:///{path.parent / 'no' / 'where' / 'payments.db'}"
    with pytest.raises(UnfitDatabase, match="no/where, and there is no such directory"):
        await open_database(url, bring_forward=True)
    with pytest.raises(UnfitDatabase, match="no/where, and there is no such directory"), alone(url, "serve"):
        pass
    assert list(path.parent.iterdir()) == []


def test_a_directory_is_no_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UnfitDatabase, match="isn't a file"):
        ready(path)


def through_a_link(path: Path) -> Path:
    other = path.with_name("link.db")
    other.symlink_to(path)
    return other


def through_a_directory(path: Path) -> Path:
    other = path.parent / "elsewhere"
    other.symlink_to(path.parent, target_is_directory=True)
    return other / path.name


@pytest.mark.parametrize("other_name", [through_a_link, through_a_directory])
def test_a_second_serve_by_another_name_is_refused(path: Path, other_name: Callable[[Path], Path]) -> None:
    other = other_name(path)
    with alone(f"sqlite:///{path}", "serve"):
        again = alone(f"sqlite:///{other}", "serve")
        with pytest.raises(AlreadyRunning, match="another `bakong-service serve` works on"), again:
            pass
        with alone(f"sqlite:///{other}", "work"):
            pass
    with alone(f"sqlite:///{other}", "serve"):
        pass


async def test_a_file_with_two_names_is_refused_by_either(path: Path) -> None:
    executor = await open_database(f"sqlite:///{path}", bring_forward=True)
    await executor.close()
    other = path.with_name("other.db")
    other.hardlink_to(path)
    for name in (path, other):
        with pytest.raises(UnfitDatabase, match="has another name"):
            ready(name)
        with pytest.raises(UnfitDatabase, match="has another name"):
            await open_database(f"sqlite:///{name}", bring_forward=True)
    other.unlink()
    assert ready(path) == path


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux lists the locks that are held")
def test_looking_at_a_file_leaves_the_locks_of_this_process_alone(path: Path) -> None:
    ready(path)

    def held() -> int:
        return Path("/proc/locks").read_text(encoding="ascii").count(f":{path.stat().st_ino} ")

    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        before = held()
        ready(path)
        assert held() == before > 0
