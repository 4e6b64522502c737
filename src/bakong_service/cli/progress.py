"""Tells on standard error how far a long command is. A command of two seconds tells nothing."""

import time
from collections.abc import Callable

from bakong_service.cli import output
from bakong_service.storage.backups.refused import Progress

_EVERY_SECONDS = 2.0


def megabytes(size_bytes: int) -> str:
    """Return a size as a person reads it: `12.3 MB`."""
    return f"{size_bytes / 1e6:,.1f} MB"


def rows(count: int) -> str:
    """Return a number of rows as a person reads it: `12,345 rows`."""
    return f"{count:,} rows"


def telling(unit: Callable[[int], str], *, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Return what a long work calls to tell how far it is, at most once in two seconds."""
    begun = told = clock()

    def tell(done: int, of: int | None) -> None:
        nonlocal told
        if (now := clock()) - told < _EVERY_SECONDS:
            return
        told = now
        parts = [unit(done)] if done else []
        parts += [f"of {unit(of)}"] if of is not None else []
        output.complain(f"bakong-service: {' '.join([*parts, f'after {now - begun:.0f} s'])}")

    return tell
