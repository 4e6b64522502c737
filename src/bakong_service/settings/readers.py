"""From a setting's text to its value. Each reader raises `ValueError` with the rule, never with the text itself."""

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from unicodedata import category
from urllib.parse import urlsplit

import limits
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bakong_service.settings.secret import Secret

T = TypeVar("T")
Reader = Callable[[str], T]
Network = IPv4Network | IPv6Network

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)")
_UNITS = {"s": "seconds", "sec": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


def text(least: int = 1, most: int = 255) -> Reader[str]:
    """Text of `least` to `most` characters on one line. Khmer's zero-width space is one of them."""

    def read(value: str) -> str:
        if not least <= len(value) <= most or any(category(character) == "Cc" for character in value):
            raise ValueError(f"it takes {least} to {most} characters, without control characters")
        return value

    return read


def choice(*words: str) -> Reader[str]:
    """One of `words`, in any case; comes back as written here."""

    def read(value: str) -> str:
        for word in words:
            if value.casefold() == word.casefold():
                return word
        raise ValueError(f"it may be {' or '.join(words)}")

    return read


def whole(least: int, most: int) -> Reader[int]:
    """A whole number within both ends."""

    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"it takes a whole number from {least} to {most}")
        return int(value)

    return read


def daily_limit(value: str) -> int | None:
    """A number of calls a day; `off` is None, no limit."""
    if value.casefold() == "off":
        return None
    try:
        return whole(1, 1_000_000)(value)
    except ValueError as error:
        raise ValueError("it takes a whole number of calls a day from 1 to 1000000, or off") from error


def duration(least: timedelta, most: timedelta) -> Reader[timedelta]:
    """A number and its unit: `90 s`, `10 min`, `24 h`, `3 d`; `0` needs none."""

    def read(value: str) -> timedelta:
        found = _DURATION.fullmatch(value.casefold())
        if found is None and value != "0":
            raise ValueError("it takes a number and its unit (s, min, h or d), such as 90 s or 15 min")
        length = timedelta(0) if found is None else timedelta(**{_UNITS[found[2]]: float(found[1])})
        if not least <= length <= most:
            raise ValueError(f"it may last from {_spoken(least)} to {_spoken(most)}")
        return length

    return read


def _spoken(length: timedelta) -> str:
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if length and length.total_seconds() % seconds == 0:
            return f"{length.total_seconds() / seconds:g} {unit}"
    return f"{length.total_seconds():g} s"


def secret(least: int = 1) -> Reader[Secret]:
    """A secret of at least `least` characters."""

    def read(value: str) -> Secret:
        if len(value) < least:
            raise ValueError(f"it takes at least {least} characters, and has {len(value)}")
        if not value.isascii() or not value.isprintable():
            raise ValueError("it takes printable ASCII characters alone")
        return Secret(value)

    return read


def key_ring(value: str) -> dict[str, Secret]:
    """`id:key,id:key`, newest first; each key of at least 32 characters."""
    ring: dict[str, Secret] = {}
    for entry in value.split(","):
        key_id, colon, key = entry.strip().partition(":")
        if not colon or not _KEY_ID.fullmatch(key_id):
            raise ValueError(
                "it takes id:key,id:key with the newest first; an id has up to 32 letters, digits, - and _"
            )
        if key_id in ring:
            raise ValueError(f"it has the id {key_id} twice")
        if len(key) < 32:
            raise ValueError(f"the key {key_id} takes at least 32 characters, and has {len(key)}")
        ring[key_id] = Secret(key)
    return ring


def url(*schemes: str) -> Reader[str]:
    """An absolute URL of one of `schemes`, without user, password or fragment; a slash at its end is cut."""

    def read(value: str) -> str:
        rule = f"it takes a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError as error:
            raise ValueError(rule) from error
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(rule)
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise ValueError(f"{rule}, without user, password or fragment")
        return value.rstrip("/")

    return read


def database_url(value: str) -> Secret:
    """`sqlite:///file` or `postgresql://...`. It may hold a password, so that it is never shown."""
    rule = "it takes sqlite:///file or postgresql://user:password@host/name"
    try:
        parsed = make_url(value)
    except ArgumentError as error:
        raise ValueError(rule) from error
    if parsed.drivername not in {"sqlite", "postgresql"}:
        raise ValueError(rule)
    if parsed.drivername == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ValueError(f"{rule}; a SQLite database must be a file: memory forgets payments")
    return Secret(value)


def redis_url(value: str) -> Secret:
    """`redis://...`, `rediss://...` or `unix://...`. It may hold a password, so that it is never shown."""
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("it takes a URL that starts with redis://, rediss:// or unix://")
    return Secret(value)


def networks(value: str) -> tuple[Network, ...]:
    """IP networks with commas between: `10.0.0.0/8, fd00::/8, 127.0.0.1`."""
    found = []
    for part in value.split(","):
        try:
            found.append(ip_network(part.strip()))
        except ValueError as error:
            raise ValueError(
                f"it takes IP networks with commas between, such as 10.0.0.0/8, fd00::/8: {error}"
            ) from error
    return tuple(found)


def rate(value: str) -> str:
    """A rate such as `100/minute`."""
    try:
        limits.parse(value)
    except ValueError as error:
        raise ValueError("it takes a rate such as 100/minute or 5/second") from error
    return value


def file(value: str) -> Path:
    """A file that can be read."""
    path = Path(value)
    if not path.is_file():
        raise ValueError("it takes the path of a file, and there is none")
    return path
