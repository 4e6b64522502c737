"""What settings must be to one another, and what live mode asks for besides."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

from bakong_khqr import KHQR, InvalidKHQR
from bakong_service.settings.secret import Secret
from bakong_service.settings.source import Problem

if TYPE_CHECKING:
    from bakong_service.settings.settings import Settings

_OF_FIELDS = {
    "bakong_account_id": "BAKONG_MERCHANT_ID",
    "merchant_name": "MERCHANT_NAME",
    "merchant_city": "MERCHANT_CITY",
    "merchant_name_alternate_language": "MERCHANT_NAME_KM",
    "acquiring_bank": "ACQUIRING_BANK",
    "merchant_id": "MERCHANT_CODE",
}
_LEAST_SECRET = 32  # characters; of hex digits that is 128 bits
_LEAST_VARIETY = 8  # different characters


def broken(settings: Settings) -> Iterator[Problem]:
    """Each rule that `settings` break."""
    yield from _together(settings)
    yield from _shop(settings)
    yield from _durations(settings)
    yield from _secrets(settings)
    if settings.mode == "live":
        yield from _live(settings)
    elif settings.webhook_url and settings.webhook_url.startswith("http:") and not settings.webhook_private_networks:
        yield _plain_webhook(settings.webhook_url)


def _together(settings: Settings) -> Iterator[Problem]:
    if settings.encryption_key is None and settings.encryption_keys is None:
        yield Problem("ENCRYPTION_KEY", None, "must be set, or ENCRYPTION_KEYS: fields are kept encrypted")
    if settings.encryption_key is not None and "0" in (settings.encryption_keys or {}):
        yield Problem("ENCRYPTION_KEYS", None, "has the id 0, which is ENCRYPTION_KEY's")
    if settings.merchant_code is not None and settings.acquiring_bank is None:
        yield Problem("ACQUIRING_BANK", None, "must be set when MERCHANT_CODE is")
    if settings.webhook_url is not None and settings.webhook_secret is None:
        yield Problem("WEBHOOK_SECRET", None, "must be set when WEBHOOK_URL is: events are signed with it")
    if settings.redis_url is not None and settings.redis_host is not None:
        yield Problem("REDIS_HOST", settings.redis_host, "is set beside REDIS_URL; keep one")


def _shop(settings: Settings) -> Iterator[Problem]:
    """What the SDK refuses in a KHQR of this shop, found at the start and not at the first payment."""
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


def _durations(settings: Settings) -> Iterator[Problem]:
    if settings.qr_life > settings.payment_deadline:
        yield Problem(
            "QR_LIFE", str(settings.qr_life), f"may be at most PAYMENT_DEADLINE ({settings.payment_deadline})"
        )
    last = settings.payment_deadline + max(settings.grace, settings.late_accept)
    if settings.watch_for < last:
        rule = f"must reach past PAYMENT_DEADLINE with GRACE and LATE_ACCEPT ({last}): money is accepted until then"
        yield Problem("WATCH_FOR", str(settings.watch_for), rule)
    if settings.late_accept < settings.grace:
        yield Problem("LATE_ACCEPT", str(settings.late_accept), f"must be at least GRACE ({settings.grace})")


def _named_secrets(settings: Settings) -> Iterator[tuple[str, Secret]]:
    for name in ("main_backend_api_key", "key_pepper", "webhook_secret", "notify_secret", "encryption_key"):
        if (secret := getattr(settings, name)) is not None:
            yield name.upper(), secret
    for key_id, secret in (settings.encryption_keys or {}).items():
        yield f"ENCRYPTION_KEYS ({key_id})", secret


def _secrets(settings: Settings) -> Iterator[Problem]:
    for (one, first), (other, second) in combinations(_named_secrets(settings), 2):
        if first == second:
            yield Problem(other, None, f"is the same as {one}: each secret protects something else and needs its own")


def _live(settings: Settings) -> Iterator[Problem]:
    for name in ("main_backend_api_key", "key_pepper"):
        if getattr(settings, name) is None:
            yield Problem(name.upper(), None, "must be set in live mode")
    for name, secret in _named_secrets(settings):
        text = secret.reveal()
        if len(text) < _LEAST_SECRET or len(set(text)) < _LEAST_VARIETY:
            rule = f"is too weak for live mode: {_LEAST_SECRET} random characters at least (openssl rand -hex 32)"
            yield Problem(name, None, rule)
    if not settings.bakong_base_url.startswith("https://"):
        yield Problem("BAKONG_BASE_URL", settings.bakong_base_url, "takes https:// in live mode")
    if settings.webhook_url is not None and not settings.webhook_url.startswith("https://"):
        yield _plain_webhook(settings.webhook_url)


def _plain_webhook(url: str) -> Problem:
    return Problem(
        "WEBHOOK_URL", url, "takes https://; plain http:// only in test mode inside WEBHOOK_PRIVATE_NETWORKS"
    )
