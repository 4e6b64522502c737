"""Readers turn a setting's text into its value. They raise `ValueError` with the rule, but never with the text."""

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from unicodedata import category
from urllib.parse import urlsplit

import limits

from bakong_service.settings.secret import Secret

T = TypeVar("T")
Reader = Callable[[str], T]
Network = IPv4Network | IPv6Network

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)")
_UNITS = {"s": "seconds", "sec": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


def text(least: int = 1, most: int = 255) -> Reader[str]:
    """Return a reader of one line of `least` to `most` characters. Khmer's zero-width space is allowed."""

    def read(value: str) -> str:
        if not least <= len(value) <= most or any(category(character) == "Cc" for character in value):
            raise ValueError(f"it takes {least} to {most} characters, without control characters")
        return value

    return read


def choice(*words: str) -> Reader[str]:
    """Return a reader of one of `words`, in upper or lower case. The value is the word as it is written here."""

    def read(value: str) -> str:
        for word in words:
            if value.casefold() == word.casefold():
                return word
        raise ValueError(f"it may be {' or '.join(words)}")

    return read


def whole(least: int, most: int) -> Reader[int]:
    """Return a reader of a whole number from `least` to `most`."""

    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"it takes a whole number from {least} to {most}")
        return int(value)

    return read


def daily_limit(value: str) -> int | None:
    """Read a number of calls per day. `off` is None: no limit."""
    if value.casefold() == "off":
        return None
    try:
        return whole(1, 1_000_000)(value)
    except ValueError as error:
        raise ValueError("it takes a whole number of calls a day from 1 to 1000000, or off") from error


def duration(least: timedelta, most: timedelta) -> Reader[timedelta]:
    """Return a reader of a number and its unit: `90 s`, `10 min`, `24 h`, `3 d`. `0` needs no unit."""

    def read(value: str) -> timedelta:
        found = _DURATION.fullmatch(value.casefold())
        if found is None and value != "0":
            raise ValueError("it takes a number and its unit (s, min, h or d), such as 90 s or 15 min")
        length = timedelta(0) if found is None else timedelta(**{_UNITS[found[2]]: float(found[1])})
        if not least <= length <= most:
            raise ValueError(f"it may last from {spoken(least)} to {spoken(most)}")
        return length

    return read


def spoken(length: timedelta) -> str:
    """Return a length as `duration` reads it, in the largest unit that it is a whole number of: `15 min`."""
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if length and length.total_seconds() % seconds == 0:
            return f"{length.total_seconds() / seconds:g} {unit}"
    return f"{length.total_seconds():g} s"


def secret(least: int = 1) -> Reader[Secret]:
    """Return a reader of a secret of at least `least` characters."""

    def read(value: str) -> Secret:
        if len(value) < least:
            raise ValueError(f"it takes at least {least} characters, and has {len(value)}")
        if not value.isascii() or not value.isprintable():
            raise ValueError("it takes printable ASCII characters alone")
        return Secret(value)

    return read


def key_ring(value: str) -> dict[str, Secret]:
    """Read `id:key,id:key`, newest first. Each key has at least 32 characters."""
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
    """Return a reader of an absolute URL with one of `schemes`, without user, password or fragment.

    A slash at the end of the URL is removed.
    """

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


def origin(*schemes: str) -> Reader[str]:
    """Return a reader of a scheme, a host and perhaps a port: a URL without a path and a query."""
    read_url = url(*schemes)

    def read(value: str) -> str:
        found = read_url(value)
        if urlsplit(found).path or "?" in found:
            raise ValueError("it takes a scheme and a host alone, such as https://pay.example.com")
        return found

    return read


def urls(*schemes: str) -> Reader[tuple[str, ...]]:
    """Return a reader of absolute URLs with commas between."""
    read_url = url(*schemes)
    return lambda value: tuple(read_url(part.strip()) for part in value.split(","))


def colour(value: str) -> str:
    """Read a colour as `#rrggbb`."""
    if not _COLOUR.fullmatch(value):
        raise ValueError("it takes # and six hexadecimal digits, such as #0a5c36")
    return value.lower()


def picture(most_bytes: int) -> Reader[Path]:
    """Return a reader of the path of a PNG, JPEG or WebP file of at most `most_bytes`."""

    def read(value: str) -> Path:
        path = file(value)
        if path.stat().st_size > most_bytes:
            raise ValueError(f"the picture may have at most {most_bytes} bytes")
        if picture_type(path.read_bytes()) is None:
            raise ValueError("it takes the path of a PNG, JPEG or WebP file")
        return path

    return read


def picture_type(content: bytes) -> str | None:
    """Return the media type of a picture by its first bytes; None if it is no PNG, JPEG or WebP."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def redis_url(value: str) -> Secret:
    """Read `redis://...`, `rediss://...` or `unix://...`. The URL may have a password, so it is a secret."""
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("it takes a URL that starts with redis://, rediss:// or unix://")
    return Secret(value)


def networks(value: str) -> tuple[Network, ...]:
    """Read IP networks, separated by commas: `10.0.0.0/8, fd00::/8, 127.0.0.1`."""
    found = []
    for part in value.split(","):
        try:
            found.append(ip_network(part.strip()))
        except ValueError as error:
            raise ValueError(
                f"it takes IP networks with commas between, such as 10.0.0.0/8, fd00::/8: {error}"
            ) from error
    return tuple(found)


def rate(value: str) -> str | None:
    """Read a rate such as `100/minute`. `off` is None: no limit."""
    if value.casefold() == "off":
        return None
    rule = "it takes one rate such as 100/minute or 5/second, or off"
    try:
        rates = limits.parse_many(value)
    except ValueError as error:
        raise ValueError(rule) from error
    if len(rates) != 1 or rates[0].amount < 1:
        raise ValueError(rule)
    return value


def file(value: str) -> Path:
    """Read the path of a file that exists."""
    path = Path(value)
    if not path.is_file():
        raise ValueError("it takes the path of a file, and there is none")
    return path
