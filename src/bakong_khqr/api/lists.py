"""Asks for many payments at once, in lists of 50 keys, or one by one if Bakong refuses lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from bakong_khqr.api.call import Call
from bakong_khqr.api.endpoints import LIST_SIZE
from bakong_khqr.api.readers import Outcome
from bakong_khqr.errors import Blocked, InvalidRequest, QuotaExceeded, Unauthorized

T = TypeVar("T")

SINGLES_AT_A_TIME = 4
"""How many single checks run at once. 50 keys take seconds, and no firewall sees an attack."""

SAME_FOR_ALL = (Blocked, QuotaExceeded, Unauthorized)
"""After these errors no more keys are asked, because each would get the same error."""


def checked_keys(name: str, keys: Iterable[str], fallback: str | None = None) -> list[str]:
    """Return the keys in their order, each once."""
    if isinstance(keys, str):
        raise TypeError(f"{name}: must be several keys, not one text")
    if fallback not in (None, "singles"):
        raise InvalidRequest(f'fallback: must be "singles" or None, not {fallback!r}')
    return list(dict.fromkeys(keys))


def in_lists(keys: Sequence[str], endpoint: Callable[[Sequence[str]], Call[T]]) -> list[Call[T]]:
    """Return the calls that ask for all keys. All are made first, so a bad key is refused before anything is sent."""
    return [endpoint(keys[start : start + LIST_SIZE]) for start in range(0, len(keys), LIST_SIZE)]


def unanswered(keys: Iterable[str], outcomes: dict[str, Outcome], error: Outcome) -> dict[str, Outcome]:
    """Return the outcome of every key in the order of the keys; a key without an outcome gets `error`."""
    return {key: outcomes.get(key, error) for key in keys}
