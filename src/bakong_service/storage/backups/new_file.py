"""A file that is written beside its name, and gets the name when it is whole and on the disk."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bakong_service.storage.backups.refused import CopyRefused


@contextmanager
def new_file(to: Path, *, over_an_empty_one: bool = False) -> Iterator[Path]:
    """Yield the path of an empty file beside `to`, which only its owner can read. After the block, it is called `to`.

    If the block fails, the file is removed. Raises `CopyRefused` if something is at `to` already, unless that is an
    empty file and `over_an_empty_one` allows it, and if the file can't be made.
    """
    _must_be_free(to, over_an_empty_one=over_an_empty_one)
    try:
        number, name = tempfile.mkstemp(prefix=f".{to.name}.", suffix=".part", dir=to.parent)
    except OSError as error:
        raise CopyRefused(f"no file can be made in {to.parent}: {error.strerror}") from error
    os.close(number)
    part = Path(name)
    try:
        yield part
        _to_the_disk(part)
        _must_be_free(to, over_an_empty_one=over_an_empty_one)
        part.replace(to)
        _to_the_disk(to.parent)
    finally:
        part.unlink(missing_ok=True)


def size_of(file: Path) -> int:
    """Return the size of a file in bytes."""
    return file.stat().st_size


def _must_be_free(to: Path, *, over_an_empty_one: bool) -> None:
    if not os.path.lexists(to):
        return
    if over_an_empty_one and to.is_file() and to.stat().st_size == 0:
        return
    raise CopyRefused(f"{to} is there already, and isn't overwritten: name a new file")


def _to_the_disk(path: Path) -> None:
    if path.is_dir() and sys.platform == "win32":
        return  # Windows opens no directory
    number = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)
