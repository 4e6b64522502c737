"""The table of settings: name, reader, meaning and default. The setting of a field is the field's name in capitals."""

# ruff: noqa: RUF009 - `_setting` is `attrs.field` with a reader

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from attrs import NOTHING, evolve, field, fields, frozen

from bakong_service.settings import readers, rules
from bakong_service.settings.database_url import database_url
from bakong_service.settings.readers import Network, Reader
from bakong_service.settings.secret import Secret
from bakong_service.settings.source import Problem, SettingsError, text_of

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def _setting(read: Reader[Any], meaning: str, *, default: Any = NOTHING, secret: bool = False) -> Any:
    """Return a field that is read from the environment. Without a default the setting is required.

    `read` turns the text into the value. `meaning` is what the documentation and an error message say about it. The
    text of a `secret` is never shown, and may be in the file that `NAME_FILE` names.
    """
    return field(kw_only=True, default=default, metadata={"read": read, "meaning": meaning, "secret": secret})


@frozen
class Settings:
    """The settings of a process, made by `from_environment`."""

    mode: str = _setting(
        readers.choice("live", "test"),
        "`test` allows the simulator, the test clock, short secrets, and plain http to webhooks in private networks",
        default="live",
    )
    database_url: Secret = _setting(
        database_url,
        "`sqlite:///file` or `postgresql://user:password@host/name`",
        default=Secret("sqlite:///bakong-service.db"),
        secret=True,
    )
    database_pool: int = _setting(
        readers.whole(1, 100),
        "connections to PostgreSQL per process; each process opens one more, which listens for signals",
        default=10,
    )
    redis_url: Secret | None = _setting(
        readers.redis_url, "a Redis that keeps the rate limits of all processes together", default=None, secret=True
    )
    redis_host: str | None = _setting(
        readers.text(), "the host of the same Redis, instead of `REDIS_URL`", default=None
    )
    redis_port: int = _setting(readers.whole(1, 65535), "and its port", default=6379)

    bakong_base_url: str = _setting(
        readers.url("https", "http"),
        "the Bakong Open API, a forwarder of your own to it, or in test mode a simulator",
        default="https://api-bakong.nbc.gov.kh",
    )
    bakong_developer_token: Secret = _setting(readers.secret(), "the developer token from NBC", secret=True)
    bakong_email: str | None = _setting(
        readers.text(3), "the email address that the token is renewed with", default=None
    )
    bakong_daily_limit: int | None = _setting(
        readers.daily_limit,
        "calls to Bakong per day in Phnom Penh, or `off`; without it 100 in live mode, and off in test mode",
        default=None,
    )

    bakong_merchant_id: str = _setting(readers.text(), "the Bakong account ID that is paid: `name@bank`")
    acquiring_bank: str | None = _setting(
        readers.text(1, 32), "the bank of the account; required with `MERCHANT_CODE`", default=None
    )
    merchant_code: str | None = _setting(
        readers.text(1, 32), "the merchant ID; with it and `ACQUIRING_BANK` the KHQR is a merchant's", default=None
    )
    merchant_name: str = _setting(readers.text(1, 25), "as the payer's app shows it")
    merchant_city: str = _setting(readers.text(1, 15), "as the payer's app shows it", default="Phnom Penh")
    merchant_name_km: str | None = _setting(readers.text(1, 25), "the name in Khmer", default=None)

    main_backend_api_key: Secret | None = _setting(
        readers.secret(), "the first API key, with every scope; required in live mode", default=None, secret=True
    )
    key_pepper: Secret | None = _setting(
        readers.secret(),
        "API keys are hashed, and cursors and client tokens are signed, with this text; required in live mode",
        default=None,
        secret=True,
    )

    webhook_url: str | None = _setting(readers.url("https", "http"), "the URL that events are posted to", default=None)
    webhook_secret: Secret | None = _setting(
        readers.secret(32),
        "signs the events: `whsec_...`, or a text of at least 32 characters; required with `WEBHOOK_URL`",
        default=None,
        secret=True,
    )
    webhook_private_networks: tuple[Network, ...] = _setting(
        readers.networks,
        "networks in which webhooks may go to private addresses and to ports other than 443, such as `10.0.0.0/8`; "
        "`127.0.0.0/8` in test mode for a receiver on this machine",
        default=(),
    )
    webhook_schedule: str = _setting(
        readers.choice("default", "compat"),
        "when a delivery is tried again; `compat` tries it at once and after 1, 2 and 4 s, and then gives up",
        default="default",
    )

    encryption_key: Secret | None = _setting(
        readers.secret(32),
        "the key of 32 characters or more that fields are encrypted with, with the id `0`; this or `ENCRYPTION_KEYS` "
        "is required",
        default=None,
        secret=True,
    )
    encryption_keys: dict[str, Secret] | None = _setting(
        readers.key_ring, "or a key ring, `id:key,id:key`; the first key encrypts", default=None, secret=True
    )

    host: str = _setting(readers.text(), "the address that `serve` listens at", default="127.0.0.1")
    port: int = _setting(readers.whole(0, 65535), "and its port; 0 means any free port", default=3002)
    trusted_proxies: tuple[Network, ...] = _setting(
        readers.networks, "networks of the proxies whose X-Forwarded-For is believed", default=()
    )

    public_url: str | None = _setting(
        readers.origin("https", "http"),
        "the address that payers reach the service at, such as `https://pay.example.com`; without it there is no "
        "`checkout_url`",
        default=None,
    )
    return_urls: tuple[str, ...] = _setting(
        readers.urls("https", "http"),
        "where a payer may be sent back to: the addresses that a payment names must begin with one of these",
        default=(),
    )
    shop_colour: str = _setting(readers.colour, "the colour of the payer's pages, such as `#0a5c36`", default="#1f3a5f")
    shop_logo: Path | None = _setting(
        readers.picture(48_000), "a PNG, JPEG or WebP of at most 48 kB for the payer's pages", default=None
    )

    rate_limit: str | None = _setting(
        readers.rate, "requests per API key, and per address without a key; or `off`", default="100/minute"
    )
    replicas: int | None = _setting(
        readers.whole(1, 1000),
        "how many processes serve: while Redis is lost, each of them grants its share of a rate; without it, as many "
        "as Redis saw last",
        default=None,
    )
    notify_secret: Secret | None = _setting(
        readers.secret(32),
        "signs the notices to `POST /v1/notify/bakong`; without it, that route is closed",
        default=None,
        secret=True,
    )
    plans_file: Path | None = _setting(readers.file, "a file with the plans that are sold", default=None)
    log_level: str = _setting(
        readers.choice("DEBUG", "INFO", "WARNING", "ERROR"), "the lowest level that is logged", default="INFO"
    )
    log_format: str = _setting(
        readers.choice("json", "text"), "one JSON object per line, or text for people", default="json"
    )

    qr_life: timedelta = _setting(
        readers.duration(_MINUTE, _DAY), "how long a payer can pay a QR", default=timedelta(minutes=10)
    )
    payment_deadline: timedelta = _setting(
        readers.duration(_MINUTE, 7 * _DAY),
        "the time from a payment's creation to its deadline, after which the shop may give up on it",
        default=timedelta(minutes=15),
    )
    grace: timedelta = _setting(
        readers.duration(timedelta(0), _HOUR),
        "how long after the deadline money may be sent and still be in time",
        default=timedelta(minutes=2),
    )
    late_accept: timedelta = _setting(
        readers.duration(timedelta(0), _DAY),
        "how long after the deadline money may be sent and still be accepted, with the flag `late`",
        default=timedelta(minutes=15),
    )
    watch_for: timedelta = _setting(
        readers.duration(_MINUTE, 30 * _DAY),
        "how long the service looks for the money of a payment",
        default=timedelta(hours=24),
    )
    subscription_grace: timedelta = _setting(
        readers.duration(timedelta(0), 30 * _DAY),
        "how long a user is still served after an unpaid boundary",
        default=timedelta(days=3),
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every setting. Raises `SettingsError` with every wrong setting, and not only with the first."""
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for attribute in fields(cls):
            name, secret = attribute.name.upper(), bool(attribute.metadata["secret"])
            text = None
            try:
                text = text_of(environ, name, secret=secret)
                if text is not None:
                    values[attribute.name] = cast("Reader[Any]", attribute.metadata["read"])(text)
                elif attribute.default is NOTHING:
                    problems.append(Problem(name, None, f"must be set: {attribute.metadata['meaning']}"))
            except ValueError as error:
                problems.append(Problem(name, None if secret else text, str(error)))
        wrong = {problem.name for problem in problems}
        unread = frozenset(attribute.name for attribute in fields(cls) if attribute.name.upper() in wrong)
        settings = cls(**{**values, **dict.fromkeys(unread)})  # None for what couldn't be read, only for `rules.broken`
        problems += (problem for problem in rules.broken(settings, unread) if problem.name not in wrong)
        if problems:
            raise SettingsError(tuple(problems))
        if "bakong_daily_limit" not in values and settings.mode == "live":
            settings = evolve(settings, bakong_daily_limit=100)  # what NBC gives a merchant
        if settings.redis_url is None and settings.redis_host is not None:
            settings = evolve(settings, redis_url=Secret(f"redis://{settings.redis_host}:{settings.redis_port}"))
        return settings

    @property
    def is_test(self) -> bool:
        """Whether the service runs in test mode."""
        return self.mode == "test"

    @property
    def key_ring(self) -> dict[str, bytes]:
        """The encryption keys by id. The first one encrypts. `ENCRYPTION_KEY` is the last one, with the id `0`."""
        ring = {key_id: key.reveal().encode() for key_id, key in (self.encryption_keys or {}).items()}
        if self.encryption_key is not None:
            ring["0"] = self.encryption_key.reveal().encode()
        return ring

    @property
    def pepper(self) -> bytes:
        """`KEY_PEPPER` in bytes. Test mode without it uses a fixed text, because its keys protect nothing."""
        return b"test mode" if self.key_pepper is None else self.key_pepper.reveal().encode()
