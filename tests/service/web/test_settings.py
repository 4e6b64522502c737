"""The service starts only on settings that make sense, and says all that is wrong at once."""

import os
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from bakong_service.settings import Secret, Settings, SettingsError

Environment = dict[str, str]


def problems(environment: Environment) -> dict[str, str]:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment(environment)
    return {problem.name: str(problem) for problem in raised.value.problems}


def test_a_good_environment_of_each_mode_starts(environment: Environment, live_environment: Environment) -> None:
    assert Settings.from_environment(environment).is_test
    live = Settings.from_environment(live_environment)
    assert not live.is_test
    assert (live.port, live.host, live.bakong_daily_limit) == (3002, "127.0.0.1", 100)
    assert (live.qr_life, live.payment_deadline) == (timedelta(minutes=10), timedelta(minutes=15))
    assert (live.grace, live.late_accept) == (timedelta(minutes=2), timedelta(minutes=15))
    assert (live.watch_for, live.subscription_grace) == (timedelta(hours=24), timedelta(days=3))
    assert live.rate_limit == "100/minute"


def test_without_settings_every_required_one_is_named_at_once() -> None:
    assert set(problems({})) == {"BAKONG_DEVELOPER_TOKEN", "BAKONG_MERCHANT_ID", "MERCHANT_NAME"}


WRONG = [
    ("MODE", "production", "it may be live or test"),
    ("DATABASE_URL", "mysql://localhost/x", "sqlite:///file or postgresql://"),
    ("DATABASE_URL", "payments.db", "sqlite:///file or postgresql://"),
    ("DATABASE_URL", "sqlite://", "memory forgets payments"),
    ("DATABASE_URL", "postgresql+psycopg2://h/n", "sqlite:///file or postgresql://"),
    ("REDIS_URL", "http://redis", "redis://"),
    ("REDIS_PORT", "0", "from 1 to 65535"),
    ("BAKONG_BASE_URL", "ftp://bakong", "https:// or http://"),
    ("BAKONG_BASE_URL", "https://user:pass@bakong", "without user"),
    ("BAKONG_DAILY_LIMIT", "-5", "or off"),
    ("BAKONG_MERCHANT_ID", "sokha", "must be name@bank"),
    ("BAKONG_MERCHANT_ID", "a@b@c", "with one @"),
    ("MERCHANT_NAME", "a" * 26, "1 to 25 characters"),
    ("MERCHANT_CITY", "a\x07", "without control characters"),
    ("WEBHOOK_SECRET", "short", "at least 32 characters, and has 5"),
    ("WEBHOOK_PRIVATE_NETWORKS", "10.0.0.0/40", "10.0.0.0/8"),
    ("WEBHOOK_SCHEDULE", "fast", "default or compat"),
    ("ENCRYPTION_KEY", "short", "at least 32 characters, and has 5"),
    ("ENCRYPTION_KEYS", "nocolon", "id:key"),
    ("ENCRYPTION_KEYS", "k1:short", "the key k1 takes at least 32"),
    ("ENCRYPTION_KEYS", f"k1:{'a' * 32},k1:{'b' * 32}", "id k1 twice"),
    ("PORT", "65536", "from 0 to 65535"),
    ("PORT", "٣", "whole number"),
    ("TRUSTED_PROXIES", "proxy", "IP networks"),
    ("RATE_LIMIT", "many", "100/minute"),
    ("LOG_LEVEL", "LOUD", "DEBUG or INFO"),
    ("QR_LIFE", "10", "a number and its unit"),
    ("QR_LIFE", "10 weeks", "a number and its unit"),
    ("QR_LIFE", "0", "from 1 min to 1 d"),
    ("QR_LIFE", "20 min", "at most PAYMENT_DEADLINE"),
    ("WATCH_FOR", "20 min", "must reach past PAYMENT_DEADLINE"),
    ("LATE_ACCEPT", "1 min", "at least GRACE"),
    ("MERCHANT_CODE", "M1", "ACQUIRING_BANK must be set when MERCHANT_CODE is"),
    ("WEBHOOK_URL", "https://shop.example/hooks", "WEBHOOK_SECRET must be set when WEBHOOK_URL is"),
    ("WEBHOOK_URL", "http://shop.example/hooks", "only in test mode inside WEBHOOK_PRIVATE_NETWORKS"),
]


@pytest.mark.parametrize(("name", "value", "rule"), WRONG, ids=[f"{name}={value[:20]}" for name, value, _ in WRONG])
def test_a_wrong_setting_is_refused_with_its_name_and_rule(
    environment: Environment, name: str, value: str, rule: str
) -> None:
    told = "\n".join(problems({**environment, name: value}).values())
    assert name in told
    assert rule in told


LIVE_ONLY = [
    ("MAIN_BACKEND_API_KEY", "", "must be set in live mode"),
    ("KEY_PEPPER", "", "must be set in live mode"),
    ("MAIN_BACKEND_API_KEY", "short", "too weak"),
    ("KEY_PEPPER", "x" * 40, "too weak"),
    ("ENCRYPTION_KEY", "a" * 32, "too weak"),
    ("BAKONG_BASE_URL", "http://127.0.0.1:9000", "takes https://"),
]


@pytest.mark.parametrize(("name", "value", "rule"), LIVE_ONLY)
def test_live_mode_refuses_what_test_mode_allows(
    environment: Environment, live_environment: Environment, name: str, value: str, rule: str
) -> None:
    Settings.from_environment({**environment, name: value})
    assert rule in problems({**live_environment, name: value})[name]


def test_live_mode_posts_no_webhook_over_plain_http(live_environment: Environment) -> None:
    changes = {
        "WEBHOOK_URL": "http://10.0.0.5/hooks",
        "WEBHOOK_SECRET": "whsec_0123456789012345678901234567",
        "WEBHOOK_PRIVATE_NETWORKS": "10.0.0.0/8",
    }
    assert "WEBHOOK_URL" in problems({**live_environment, **changes})
    assert Settings.from_environment({**live_environment, **changes, "MODE": "test"}).webhook_private_networks == (
        ip_network("10.0.0.0/8"),
    )


def test_two_secrets_may_not_be_the_same(environment: Environment) -> None:
    same = environment["ENCRYPTION_KEY"]
    assert "is the same as" in problems({**environment, "KEY_PEPPER": same})["ENCRYPTION_KEY"]


def test_no_secret_is_shown_in_a_message_or_a_repr(environment: Environment) -> None:
    planted = "planted-secret"
    wrong = dict.fromkeys(("ENCRYPTION_KEY", "WEBHOOK_SECRET", "NOTIFY_SECRET", "ENCRYPTION_KEYS"), planted)
    for text in problems({**environment, **wrong, "DATABASE_URL": f"x://u:{planted}@h"}).values():
        assert planted not in text
    settings = Settings.from_environment({**environment, "DATABASE_URL": f"postgresql://u:{planted}@h/n"})
    for secret in (planted, *(environment[name] for name in ("MAIN_BACKEND_API_KEY", "KEY_PEPPER", "ENCRYPTION_KEY"))):
        assert secret not in f"{settings} {settings!r}"
    assert str(Secret(planted)) == "********"


def test_the_key_ring_puts_the_newest_first_and_the_single_key_last(environment: Environment) -> None:
    ring = f"2026b:{'b' * 32},2026a:{'a' * 32}"
    settings = Settings.from_environment({**environment, "ENCRYPTION_KEYS": ring})
    assert list(settings.key_ring) == ["2026b", "2026a", "0"]


def test_without_an_encryption_key_nothing_starts(environment: Environment) -> None:
    del environment["ENCRYPTION_KEY"]
    assert "fields are kept encrypted" in problems(environment)["ENCRYPTION_KEY"]


def test_redis_may_be_named_by_host_and_port(environment: Environment) -> None:
    settings = Settings.from_environment({**environment, "REDIS_HOST": "cache", "REDIS_PORT": "6380"})
    assert settings.redis_url is not None
    assert settings.redis_url.reveal() == "redis://cache:6380"
    assert "keep one" in problems({**environment, "REDIS_HOST": "cache", "REDIS_URL": "redis://x"})["REDIS_HOST"]


def test_test_mode_has_no_daily_limit_unless_told(environment: Environment) -> None:
    assert Settings.from_environment(environment).bakong_daily_limit is None
    assert Settings.from_environment({**environment, "BAKONG_DAILY_LIMIT": "7"}).bakong_daily_limit == 7


def test_live_mode_may_switch_the_daily_limit_off(live_environment: Environment) -> None:
    assert Settings.from_environment({**live_environment, "BAKONG_DAILY_LIMIT": "off"}).bakong_daily_limit is None


class TestSecretsFromFiles:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "secret"
        path.write_text("a-secret-from-a-file-0123456789abc\n", encoding="utf-8")
        path.chmod(0o600)
        return path

    def test_a_secret_may_come_from_a_file(self, environment: Environment, file: Path) -> None:
        del environment["KEY_PEPPER"]
        settings = Settings.from_environment({**environment, "KEY_PEPPER_FILE": str(file)})
        assert settings.pepper == b"a-secret-from-a-file-0123456789abc"

    def test_but_not_from_both_places(self, environment: Environment, file: Path) -> None:
        assert "is set twice" in problems({**environment, "KEY_PEPPER_FILE": str(file)})["KEY_PEPPER"]

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")
    def test_a_file_that_everybody_may_read_is_refused(self, environment: Environment, file: Path) -> None:
        del environment["KEY_PEPPER"]
        file.chmod(0o644)
        assert "chmod 600" in problems({**environment, "KEY_PEPPER_FILE": str(file)})["KEY_PEPPER"]

    def test_a_missing_or_empty_file_is_named(self, environment: Environment, tmp_path: Path) -> None:
        del environment["KEY_PEPPER"]
        missing = {**environment, "KEY_PEPPER_FILE": str(tmp_path / "none")}
        assert "can't be read" in problems(missing)["KEY_PEPPER"]
        empty = tmp_path / "empty"
        empty.write_text("\n", encoding="utf-8")
        empty.chmod(0o600)
        assert "is empty" in problems({**environment, "KEY_PEPPER_FILE": str(empty)})["KEY_PEPPER"]

    def test_only_secrets_come_from_files(self, environment: Environment, file: Path) -> None:
        assert Settings.from_environment({**environment, "PORT_FILE": str(file)}).port == 3002
