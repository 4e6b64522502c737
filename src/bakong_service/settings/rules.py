"""The rules between settings, and the further rules of live mode.

Each rule says which settings it reads. If one of them couldn't be read, its rule is skipped, and all other rules are
checked: one start names everything that is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import make_url

from bakong_khqr import KHQR, InvalidKHQR
from bakong_service.settings.in_the_clear import public_host_of_database, public_host_of_redis
from bakong_service.settings.secret import Secret
from bakong_service.settings.source import Problem, is_open_to_others
from bakong_service.settings.strength import LEAST, weakness

if TYPE_CHECKING:
    from bakong_service.settings.settings import Settings

Rule = Callable[["Settings"], Iterator[Problem]]

_RULES: list[tuple[frozenset[str], Rule]] = []
_OF_FIELDS = {
    "bakong_account_id": "BAKONG_MERCHANT_ID",
    "merchant_name": "MERCHANT_NAME",
    "merchant_city": "MERCHANT_CITY",
    "merchant_name_alternate_language": "MERCHANT_NAME_KM",
    "acquiring_bank": "ACQUIRING_BANK",
    "merchant_id": "MERCHANT_CODE",
}


def broken(settings: Settings, unread: frozenset[str]) -> Iterator[Problem]:
    """Yield each rule that the settings break. Those in `unread` couldn't be read, and are None."""
    for needed, rule in _RULES:
        if not needed & unread:
            yield from rule(settings)


def _reads(*names: str) -> Callable[[Rule], Rule]:
    """Add a rule to the rules. It is skipped if one of these settings couldn't be read."""

    def add(rule: Rule) -> Rule:
        _RULES.append((frozenset(names), rule))
        return rule

    return add


@_reads("encryption_key", "encryption_keys")
def _has_a_key(settings: Settings) -> Iterator[Problem]:
    if settings.encryption_key is None and settings.encryption_keys is None:
        yield Problem("ENCRYPTION_KEY", None, "must be set, or ENCRYPTION_KEYS: fields are kept encrypted")
    if settings.encryption_key is not None and "0" in (settings.encryption_keys or {}):
        yield Problem("ENCRYPTION_KEYS", None, "has the id 0, which is ENCRYPTION_KEY's")


@_reads("merchant_code", "acquiring_bank")
def _merchant_has_a_bank(settings: Settings) -> Iterator[Problem]:
    if settings.merchant_code is not None and settings.acquiring_bank is None:
        yield Problem("ACQUIRING_BANK", None, "must be set when MERCHANT_CODE is")


@_reads("webhook_url", "webhook_secret")
def _events_are_signed(settings: Settings) -> Iterator[Problem]:
    if settings.webhook_url is not None and settings.webhook_secret is None:
        yield Problem("WEBHOOK_SECRET", None, "must be set when WEBHOOK_URL is: events are signed with it")


@_reads("redis_url", "redis_host")
def _one_redis(settings: Settings) -> Iterator[Problem]:
    if settings.redis_url is not None and settings.redis_host is not None:
        yield Problem("REDIS_HOST", settings.redis_host, "is set beside REDIS_URL; keep one")


@_reads(
    "bakong_merchant_id", "merchant_name", "merchant_city", "merchant_name_km", "acquiring_bank", "merchant_code"
)  # fmt: skip
def _shop(settings: Settings) -> Iterator[Problem]:
    """Yield what the SDK refuses in a KHQR of this shop: a start finds it, and not the first payment."""
    texts: dict[str, Any] = {
        "bakong_account_id": settings.bakong_merchant_id,
        "merchant_name": settings.merchant_name,
        "merchant_city": settings.merchant_city,
        "merchant_name_alternate_language": settings.merchant_name_km,
        "acquiring_bank": settings.acquiring_bank,
    }
    language = None if settings.merchant_name_km is None else "km"
    try:
        if settings.merchant_code is not None and settings.acquiring_bank is not None:
            KHQR.merchant(merchant_id=settings.merchant_code, language_preference=language, **texts)
        else:
            KHQR.individual(language_preference=language, **texts)
    except InvalidKHQR as error:
        field = error.field or ""
        yield Problem(_OF_FIELDS.get(field, "BAKONG_MERCHANT_ID"), None, str(error).removeprefix(field).strip())


@_reads("qr_life", "payment_deadline")
def _qr_ends_first(settings: Settings) -> Iterator[Problem]:
    if settings.qr_life > settings.payment_deadline:
        rule = f"may be at most PAYMENT_DEADLINE ({settings.payment_deadline})"
        yield Problem("QR_LIFE", str(settings.qr_life), rule)


@_reads("payment_deadline", "grace", "late_accept", "watch_for")
def _watched_while_accepted(settings: Settings) -> Iterator[Problem]:
    last = settings.payment_deadline + max(settings.grace, settings.late_accept)
    if settings.watch_for < last:
        rule = f"must reach past PAYMENT_DEADLINE with GRACE and LATE_ACCEPT ({last}): money is accepted until then"
        yield Problem("WATCH_FOR", str(settings.watch_for), rule)


@_reads("grace", "late_accept")
def _late_after_grace(settings: Settings) -> Iterator[Problem]:
    if settings.late_accept < settings.grace:
        yield Problem("LATE_ACCEPT", str(settings.late_accept), f"must be at least GRACE ({settings.grace})")


def _made_here(settings: Settings) -> Iterator[tuple[str, Secret]]:
    """Yield the secrets that whoever runs the service draws, by the name of their setting."""
    for name in ("main_backend_api_key", "key_pepper", "webhook_secret", "notify_secret", "encryption_key"):
        if (secret := getattr(settings, name)) is not None:
            yield name.upper(), secret
    for key_id, secret in (settings.encryption_keys or {}).items():
        yield f"ENCRYPTION_KEYS ({key_id})", secret


def _every_secret(settings: Settings) -> Iterator[tuple[str, Secret]]:
    yield from _made_here(settings)
    if settings.bakong_developer_token is not None:  # it couldn't be read
        yield "BAKONG_DEVELOPER_TOKEN", settings.bakong_developer_token
    if settings.database_url is not None:
        url = make_url(settings.database_url.reveal())
        if password := url.password or url.query.get("password"):
            yield "DATABASE_URL's password", Secret(str(password))
    if settings.redis_url is not None and (password := urlsplit(settings.redis_url.reveal()).password):
        yield "REDIS_URL's password", Secret(password)


@_reads()
def _no_two_the_same(settings: Settings) -> Iterator[Problem]:
    for (one, first), (other, second) in combinations(_every_secret(settings), 2):
        if first == second:
            yield Problem(other, None, f"is the same as {one}: each secret protects something else and needs its own")


@_reads("mode", "webhook_url", "webhook_private_networks")
def _events_go_over_tls(settings: Settings) -> Iterator[Problem]:
    url = settings.webhook_url
    if url is None or url.startswith("https://") or (settings.is_test and settings.webhook_private_networks):
        return
    rule = "takes https://; plain http:// only in test mode inside WEBHOOK_PRIVATE_NETWORKS"
    yield Problem("WEBHOOK_URL", url, rule)


def _in_live_mode(rule: Rule) -> Rule:
    return lambda settings: iter(()) if settings.is_test else rule(settings)


@_reads("mode")
@_in_live_mode
def _keys_are_set(settings: Settings) -> Iterator[Problem]:
    for name in ("main_backend_api_key", "key_pepper"):
        if getattr(settings, name) is None:
            yield Problem(name.upper(), None, "must be set in live mode")


@_reads("mode")
@_in_live_mode
def _secrets_are_strong(settings: Settings) -> Iterator[Problem]:
    for name, secret in _made_here(settings):
        if (reason := weakness(secret.reveal())) is not None:
            rule = (
                f"is too weak for live mode: it {reason}. Draw {LEAST} random characters or more (openssl rand -hex 32)"
            )
            yield Problem(name, None, rule)


@_reads("mode", "main_backend_api_key")
@_in_live_mode
def _key_is_of_live_mode(settings: Settings) -> Iterator[Problem]:
    first = settings.main_backend_api_key
    if first is not None and first.reveal().startswith("bks_test_"):
        yield Problem("MAIN_BACKEND_API_KEY", None, "is a key of test mode, which opens no live service")


@_reads("mode", "bakong_base_url", "public_url", "return_urls")
@_in_live_mode
def _addresses_are_https(settings: Settings) -> Iterator[Problem]:
    named = [("PUBLIC_URL", settings.public_url), *(("RETURN_URLS", url) for url in settings.return_urls)]
    for name, url in (*named, ("BAKONG_BASE_URL", settings.bakong_base_url)):
        if url is not None and not url.startswith("https://"):
            yield Problem(name, url, "takes https:// in live mode")


@_reads("mode", "database_url")
@_in_live_mode
def _database_is_private(settings: Settings) -> Iterator[Problem]:
    url = settings.database_url.reveal()
    if (host := public_host_of_database(url)) is not None:
        rule = f"goes to {host} in the clear: add ?sslmode=verify-full&sslrootcert=FILE, or at least ?sslmode=require"
        yield Problem("DATABASE_URL", None, rule)
    if url.startswith("sqlite:"):
        path = Path(make_url(url).database or "")
        for file in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm"))):
            if sys.platform != "win32" and file.is_file() and is_open_to_others(file.stat().st_mode):
                rule = f"names {file}, which others on this machine may read or write: chmod 600 it"
                yield Problem("DATABASE_URL", None, rule)


@_reads("mode", "redis_url", "redis_host", "redis_port")
@_in_live_mode
def _redis_is_private(settings: Settings) -> Iterator[Problem]:
    name = "REDIS_URL" if settings.redis_url is not None else "REDIS_HOST"
    url = f"redis://{settings.redis_host or ''}" if settings.redis_url is None else settings.redis_url.reveal()
    if (host := public_host_of_redis(url)) is not None:
        yield Problem(name, None, f"goes to {host} in the clear: give REDIS_URL as rediss://")
