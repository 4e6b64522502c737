"""Asking for many payments at once: the keys in lists of 50, or singly where Bakong keeps the list closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from bakong_khqr.api.call import Call
from bakong_khqr.api.endpoints import LIST_SIZE
from bakong_khqr.api.readers import Outcome
from bakong_khqr.errors import Blocked, InvalidRequest, QuotaExceeded, Unauthorized

T = TypeVar("T")

SINGLES_AT_A_TIME = 4
"""Single checks under way at once: enough to answer 50 keys in seconds, and no burst for a firewall to notice."""

SAME_FOR_ALL = (Blocked, QuotaExceeded, Unauthorized)
"""What says the same of every further key, so that none of them is asked."""


def checked_keys(name: str, keys: Iterable[str], fallback: str | None = None) -> list[str]:
    """The keys in their order, each once."""
    if isinstance(keys, str):
        raise TypeError(f"{name}: must be several keys, not one text")
    if fallback not in (None, "singles"):
        raise InvalidRequest(f'fallback: must be "singles" or None, not {fallback!r}')
    return list(dict.fromkeys(keys))


def in_lists(keys: Sequence[str], endpoint: Callable[[Sequence[str]], Call[T]]) -> list[Call[T]]:
    """The calls that ask for all keys. All are made first, so that a bad key is refused before anything is sent."""
    return [endpoint(keys[start : start + LIST_SIZE]) for start in range(0, len(keys), LIST_SIZE)]


def unanswered(keys: Iterable[str], outcomes: dict[str, Outcome], error: Outcome) -> dict[str, Outcome]:
    """Every key's outcome, `error` for those that have none, in the order of the keys."""
    return {key: outcomes.get(key, error) for key in keys}
