"""Arguments that are called or waited for later. One of the wrong kind is a `TypeError` at once, by its name.

Python itself would notice late or never: a coroutine that nobody awaits does nothing, without an error.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import Any, Literal, TypeVar

from bakong_khqr.errors import InvalidRequest, shown

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

Kind = Literal["plain", "async", "either"]
"""Whether the caller calls it, awaits it, or accepts both."""


def checked_callable(name: str, value: F, kind: Kind = "plain") -> F:
    """Return a callable of this kind. Raise `TypeError` for anything else."""
    if not callable(value):
        raise TypeError(f"{name}: must be callable, not {type(value).__name__}")
    if kind == "plain" and _is_async(value):
        raise TypeError(f"{name}: must not be async, because nothing awaits it here")
    if kind == "async" and not _is_async(value):
        raise TypeError(f"{name}: must be async (`async def`), because it is awaited")
    return value


def checked_object(name: str, value: T, kind: Kind, *methods: str) -> T:
    """Return an object that has these methods, of which the first is of this kind. `TypeError` for anything else."""
    first, *others = methods
    if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
        what = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name}: must be an object with {' and '.join(f'{each}()' for each in methods)}, not {what}")
    checked_callable(f"{name}.{first}", getattr(value, first), kind)
    for method in others:
        checked_callable(f"{name}.{method}", getattr(value, method))
    return value


def checked_result(name: str, result: T) -> T:
    """Return what a plain callable returned. An awaitable is a `TypeError`: what it promises wouldn't be done."""
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()  # or Python warns that nobody awaited it
        raise TypeError(f"{name}: must not return an awaitable, because nothing awaits it here")
    return result


def checked_seconds(name: str, seconds: float | None) -> float:
    """Return the seconds to wait; 0 for `None`."""
    if seconds is None:
        return 0.0
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name}: must return a number of seconds or None, not {type(seconds).__name__}")
    if not 0 <= seconds < inf:
        raise InvalidRequest(f"{name}: must return 0 or more seconds, not {shown(seconds)}")
    return seconds


def checked_duration(name: str, duration: timedelta) -> timedelta:
    """Return a `timedelta` of 0 or more."""
    if not isinstance(duration, timedelta):
        raise TypeError(f"{name}: must be a timedelta, not {type(duration).__name__}")
    if duration < timedelta():
        raise InvalidRequest(f"{name}: must be 0 or more, not {duration}")
    return duration


def aware_clock(name: str, clock: Callable[[], datetime]) -> Callable[[], datetime]:
    """Return the clock, which raises `TypeError` if it returns anything but an aware datetime."""
    checked_callable(name, clock)

    def now() -> datetime:
        moment = checked_result(name, clock())
        if not isinstance(moment, datetime):
            raise TypeError(f"{name}: must return an aware datetime, not {type(moment).__name__}")
        if moment.tzinfo is None:
            raise TypeError(f"{name}: must return an aware datetime, and this has no time zone")
        return moment

    return now


def _is_async(function: Callable[..., Any]) -> bool:
    """Say whether a call of it makes a coroutine, as far as the callable itself shows: a lambda that returns one
    doesn't.
    """
    while isinstance(function, partial):
        function = function.func
    made_by = (function, getattr(type(function), "__call__", None))  # noqa: B004 - the method itself is looked at
    return any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in made_by)
