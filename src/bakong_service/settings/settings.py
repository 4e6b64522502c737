"""The table of settings: name, reader, default, meaning. A field's setting is its name in capitals."""

# ruff: noqa: RUF009 - `_setting` is `attrs.field` with a reader

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from attrs import NOTHING, evolve, field, fields, frozen

from bakong_service.settings import readers, rules
from bakong_service.settings.readers import Network, Reader
from bakong_service.settings.secret import Secret
from bakong_service.settings.source import Problem, SettingsError, text_of

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def _setting(read: Reader[Any], meaning: str, *, default: Any = NOTHING, secret: bool = False) -> Any:
    """A field that is read from the environment. Without a default it must be set."""
    return field(kw_only=True, default=default, metadata={"read": read, "meaning": meaning, "secret": secret})


@frozen
class Settings:
    """The settings of a process. `from_environment` is the way to make one."""

    mode: str = _setting(
        readers.choice("live", "test"),
        "`test` allows the simulator, the test clock, short secrets, and plain http to webhooks in private networks",
        default="live",
    )
    database_url: Secret = _setting(
        readers.database_url,
        "`sqlite:///file` or `postgresql://user:password@host/name`",
        default=Secret("sqlite:///bakong-service.db"),
        secret=True,
    )
    redis_url: Secret | None = _setting(readers.redis_url, "shared rate limits", default=None, secret=True)
    redis_host: str | None = _setting(readers.text(), "the same, by host", default=None)
    redis_port: int = _setting(readers.whole(1, 65535), "and port", default=6379)

    bakong_base_url: str = _setting(
        readers.url("https", "http"),
        "the Bakong Open API, a forwarder of your own to it, or in test mode a simulator",
        default="https://api-bakong.nbc.gov.kh",
    )
    bakong_developer_token: Secret = _setting(readers.secret(), "the developer token from NBC", secret=True)
    bakong_email: str | None = _setting(readers.text(3), "the address that the token is renewed with", default=None)
    bakong_daily_limit: int | None = _setting(
        readers.daily_limit,
        "calls to Bakong a day (Phnom Penh time), or `off`; 100 in live mode, off in test",
        default=None,
    )

    bakong_merchant_id: str = _setting(readers.text(), "the Bakong account ID that is paid: `name@bank`")
    acquiring_bank: str | None = _setting(readers.text(1, 32), "the bank of the account", default=None)
    merchant_code: str | None = _setting(
        readers.text(1, 32), "with `ACQUIRING_BANK`: the merchant ID that makes it a merchant's KHQR", default=None
    )
    merchant_name: str = _setting(readers.text(1, 25), "as the payer's app shows it")
    merchant_city: str = _setting(readers.text(1, 15), "as the payer's app shows it", default="Phnom Penh")
    merchant_name_km: str | None = _setting(readers.text(1, 25), "the name in Khmer", default=None)

    main_backend_api_key: Secret | None = _setting(
        readers.secret(), "the first API key, with every scope; required in live mode", default=None, secret=True
    )
    key_pepper: Secret | None = _setting(
        readers.secret(),
        "what API keys are hashed and cursors signed with; required in live mode",
        default=None,
        secret=True,
    )

    webhook_url: str | None = _setting(readers.url("https", "http"), "where events are posted", default=None)
    webhook_secret: Secret | None = _setting(
        readers.secret(32), "`whsec_...`, or 32 characters and more", default=None, secret=True
    )
    webhook_private_networks: tuple[Network, ...] = _setting(
        readers.networks, "networks whose private addresses and other ports webhooks may go to", default=()
    )
    webhook_schedule: str = _setting(
        readers.choice("default", "compat"), "`compat` tries at 0, 1, 2 and 4 s and gives up", default="default"
    )

    encryption_key: Secret | None = _setting(
        readers.secret(32),
        "the key of 32 characters or more that fields are encrypted under",
        default=None,
        secret=True,
    )
    encryption_keys: dict[str, Secret] | None = _setting(
        readers.key_ring, "or a ring, `id:key,id:key`, newest first", default=None, secret=True
    )

    host: str = _setting(readers.text(), "the address that `serve` listens at", default="127.0.0.1")
    port: int = _setting(readers.whole(0, 65535), "and its port; 0 takes a free one", default=3002)
    trusted_proxies: tuple[Network, ...] = _setting(
        readers.networks, "proxies whose X-Forwarded-For is believed", default=()
    )

    rate_limit: str = _setting(readers.rate, "requests per API key", default="100/minute")
    notify_secret: Secret | None = _setting(
        readers.secret(32),
        "what inbound notifications are signed with; none: the route is closed",
        default=None,
        secret=True,
    )
    plans_file: Path | None = _setting(readers.file, "the plans that are sold", default=None)
    log_level: str = _setting(readers.choice("DEBUG", "INFO", "WARNING", "ERROR"), "least level", default="INFO")
    log_format: str = _setting(
        readers.choice("json", "text"), "one JSON object a line, or text for people", default="json"
    )

    qr_life: timedelta = _setting(
        readers.duration(_MINUTE, _DAY), "how long a QR may be paid", default=timedelta(minutes=10)
    )
    payment_deadline: timedelta = _setting(
        readers.duration(_MINUTE, 7 * _DAY), "when the shop may give up", default=timedelta(minutes=15)
    )
    grace: timedelta = _setting(
        readers.duration(timedelta(0), _HOUR), "after the deadline: still in time", default=timedelta(minutes=2)
    )
    late_accept: timedelta = _setting(
        readers.duration(timedelta(0), _DAY),
        "after the deadline: accepted, flagged late",
        default=timedelta(minutes=15),
    )
    watch_for: timedelta = _setting(
        readers.duration(_MINUTE, 30 * _DAY), "how long money is looked for", default=timedelta(hours=24)
    )
    subscription_grace: timedelta = _setting(
        readers.duration(timedelta(0), 30 * _DAY), "after a period's end: still entitled", default=timedelta(days=3)
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every setting. Raises `SettingsError` with all that is wrong."""
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
        if problems:
            raise SettingsError(tuple(problems))
        settings = cls(**values)
        if broken := tuple(rules.broken(settings)):
            raise SettingsError(broken)
        if "bakong_daily_limit" not in values and settings.mode == "live":
            settings = evolve(settings, bakong_daily_limit=100)  # what NBC gives a merchant
        if settings.redis_url is None and settings.redis_host is not None:
            settings = evolve(settings, redis_url=Secret(f"redis://{settings.redis_host}:{settings.redis_port}"))
        return settings

    @property
    def is_test(self) -> bool:
        """Whether this is test mode."""
        return self.mode == "test"

    @property
    def key_ring(self) -> dict[str, bytes]:
        """The encryption keys by id, newest first. `ENCRYPTION_KEY` is the ring's last, by the id `0`."""
        ring = {key_id: key.reveal().encode() for key_id, key in (self.encryption_keys or {}).items()}
        if self.encryption_key is not None:
            ring["0"] = self.encryption_key.reveal().encode()
        return ring

    @property
    def pepper(self) -> bytes:
        """The pepper's bytes. Test mode without one takes a fixed text: its keys protect nothing."""
        return b"test mode" if self.key_pepper is None else self.key_pepper.reveal().encode()
