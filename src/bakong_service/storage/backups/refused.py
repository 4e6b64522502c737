"""The error of a backup, a restore or a copy."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Is called now and then with what is done and the whole, in bytes or in rows. The whole is None if nobody knows it."""


class CopyRefused(Exception):  # noqa: N818 - what happened
    """A backup, a restore or a copy isn't possible, or failed. Nothing that was there before is changed."""
