"""Values that each process makes for itself, because a fork copies connections and locks with the parent's memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_forks = 0  # how often this process and its ancestors forked to get here


def _forked() -> None:
    global _forks
    _forks += 1


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forked)


class PerProcess(Generic[T]):
    """A value that every process makes for itself, when it first asks for it.

    `make` gets the value that this process inherited, or None in the first process. The inherited values stay where
    they are: if they were dropped, the sockets in them would be closed.
    """

    def __init__(self, make: Callable[[T | None], T]) -> None:
        self._make = make
        self._values: dict[tuple[int, int], T] = {}

    @property
    def here(self) -> T:
        """The value of this process."""
        # The process ID shows a fork that ran no Python hooks. The count of forks distinguishes a process from an
        # ancestor that had the same ID.
        process = (_forks, os.getpid())
        try:
            return self._values[process]
        except KeyError:
            # No lock is needed: threads that ask at once may make several values, and all of them take the first one.
            inherited = [None, *self._values.values()][-1]
            return self._values.setdefault(process, self._make(inherited))

    @property
    def made(self) -> T | None:
        """The value of this process, or `None` if it hasn't asked for the value yet."""
        return self._values.get((_forks, os.getpid()))
