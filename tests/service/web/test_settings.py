"""The service starts only on settings that make sense, and says all that is wrong at once."""

import os
from base64 import b64encode
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakong_service.settings import Secret, Settings, SettingsError
from bakong_service.settings.strength import weakness

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
    required = {"BAKONG_DEVELOPER_TOKEN", "BAKONG_MERCHANT_ID", "MERCHANT_NAME"}
    assert set(problems({})) == required | {"ENCRYPTION_KEY", "KEY_PEPPER", "MAIN_BACKEND_API_KEY"}


def test_one_start_names_what_cannot_be_read_and_what_does_not_go_together(live_environment: Environment) -> None:
    wrong = {"PORT": "x", "QR_LIFE": "20 min", "KEY_PEPPER": "x" * 40, "MERCHANT_CODE": "M1", "GRACE": "soon"}
    told = problems({**live_environment, **wrong})
    assert set(told) == {"PORT", "QR_LIFE", "KEY_PEPPER", "ACQUIRING_BANK", "GRACE"}


def test_a_rule_about_a_setting_that_cannot_be_read_is_not_added_to_it(environment: Environment) -> None:
    assert problems({**environment, "ENCRYPTION_KEY": "short"}).keys() == {"ENCRYPTION_KEY"}
    assert problems({**environment, "MODE": "both", "KEY_PEPPER": "x"}).keys() == {"MODE"}


WRONG = [
    ("MODE", "production", "it may be live or test"),
    ("DATABASE_URL", "mysql://localhost/x", "sqlite:///file or postgresql://"),
    ("DATABASE_URL", "payments.db", "sqlite:///file or postgresql://"),
    ("DATABASE_URL", "sqlite://", "memory forgets payments"),
    ("DATABASE_URL", "postgresql+psycopg2://h/n", "sqlite:///file or postgresql://"),
    ("DATABASE_URL", "sqlite:///x.db?mode=ro", "a SQLite file takes no options"),
    ("DATABASE_URL", "postgresql://h/n?ssl=require", "the option ssl isn't supported; there are host"),
    ("DATABASE_URL", "postgresql://h/n?pgbouncer=true", "the option pgbouncer isn't supported"),
    ("DATABASE_URL", "postgresql://h/n?channel_binding=require", "the option channel_binding isn't supported"),
    ("DATABASE_URL", "postgresql://h/n?colour=red", "it has an unknown option; there are host"),
    ("DATABASE_URL", "postgresql://h/n?sslmode=on", "the option sslmode: it may be disable or allow"),
    ("DATABASE_URL", "postgresql://h/n?sslmode=verify-full", "need sslrootcert"),
    ("DATABASE_URL", "postgresql://h/n?sslrootcert=/none", "the option sslrootcert: it takes the path of a file"),
    ("DATABASE_URL", "postgresql://h/n?sslmode=require&sslmode=disable", "the option sslmode is there twice"),
    ("DATABASE_URL", "postgresql://h/n?connect_timeout=0", "the option connect_timeout: it takes a whole number"),
    ("DATABASE_URL", "postgresql://h/n?target_session_attrs=standby", "it may be any or primary or read-write"),
    ("DATABASE_URL", "postgresql://h/n?host=g", "names the host twice"),
    ("DATABASE_URL", "postgresql://h:1/n?port=2", "names the port twice"),
    ("DATABASE_POOL", "0", "from 1 to 100"),
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
    ("ENCRYPTION_KEYS", "nocolon", "ENCRYPTION_KEYS: it takes id:key"),
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
    ("KEY_PEPPER", "x" * 40, "has only 1 different characters"),
    ("KEY_PEPPER", "0123456789abcdef0123456789abcdef", "repeats itself"),
    ("KEY_PEPPER", "changeme-changeme-changeme-changeme", "has the words of an example"),
    ("KEY_PEPPER", "your-32-character-encryption-key!", "has the words of an example"),
    ("KEY_PEPPER", "password1234password1234password", "has the words of an example"),
    ("KEY_PEPPER", "abcdefghijklmnopqrstuvwxyz012345", "counts or repeats a character"),
    ("KEY_PEPPER", "k8Zq2mXw7765432101Lr4TnVb9cHs3JfPa", "counts or repeats a character"),
    ("NOTIFY_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "has the words of an example"),
    ("DATABASE_URL", "postgresql://u:p@8.8.8.8/n", "goes to 8.8.8.8 in the clear"),
    ("DATABASE_URL", "postgresql://u:p@db.example.com/n?sslmode=prefer", "goes to db.example.com in the clear"),
    ("DATABASE_URL", "postgresql:///n?host=10.0.0.1,db.example.com", "goes to db.example.com in the clear"),
    ("REDIS_URL", "redis://:p@[2001:4860:4860::8888]:6379/0", "goes to 2001:4860:4860::8888 in the clear"),
    ("REDIS_HOST", "cache.example.com", "goes to cache.example.com in the clear"),
    (
        "MAIN_BACKEND_API_KEY",
        "bks_test_abcdefghijkl_0123456789abcdef",
        "a key of test mode, which opens no live service",
    ),
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


PRIVATE = [
    ("DATABASE_URL", "postgresql://u:p@10.1.2.3/n"),
    ("DATABASE_URL", "postgresql://u:p@100.64.0.1/n"),
    ("DATABASE_URL", "postgresql://u:p@[fd00::1]/n"),
    ("DATABASE_URL", "postgresql://u:p@db/n"),
    ("DATABASE_URL", "postgresql://u:p@db.default.svc.cluster.local/n"),
    ("DATABASE_URL", "postgresql:///n?host=/run/postgresql"),
    ("DATABASE_URL", "postgresql://u:p@db.example.com/n?sslmode=require"),
    ("REDIS_URL", "rediss://cache.example.com"),
    ("REDIS_URL", "unix:///run/redis.sock"),
    ("REDIS_URL", "redis://127.0.0.1"),
    ("REDIS_HOST", "cache"),
]


@pytest.mark.parametrize(("name", "value"), PRIVATE)
def test_live_mode_takes_what_stays_private_or_encrypted(live_environment: Environment, name: str, value: str) -> None:
    Settings.from_environment({**live_environment, name: value})


@given(st.integers(0, 2**64))
def test_a_secret_that_was_drawn_at_random_is_taken(seed: int) -> None:
    drawn = Random(seed).randbytes(32)
    assert [weakness(text) for text in (drawn.hex(), drawn[:16].hex(), b64encode(drawn).decode())] == [None] * 3


EQUAL = [
    ("KEY_PEPPER", "ENCRYPTION_KEY", "{}"),
    ("BAKONG_DEVELOPER_TOKEN", "KEY_PEPPER", "{}"),
    ("DATABASE_URL", "KEY_PEPPER", "postgresql://u:{}@h/n"),
    ("DATABASE_URL", "KEY_PEPPER", "postgresql://h/n?password={}"),
    ("REDIS_URL", "KEY_PEPPER", "redis://:{}@h"),
    ("ENCRYPTION_KEYS", "ENCRYPTION_KEY", "k1:{}"),
]


@pytest.mark.parametrize(("name", "other", "form"), EQUAL)
def test_two_secrets_may_not_be_the_same(environment: Environment, name: str, other: str, form: str) -> None:
    told = "\n".join(problems({**environment, name: form.format(environment[other])}).values())
    assert "is the same as" in told
    assert environment[other] not in told


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602])
def test_live_mode_refuses_a_sqlite_file_that_others_may_use(
    live_environment: Environment, tmp_path: Path, suffix: str, mode: int
) -> None:
    live_environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'payments.db'}"
    Settings.from_environment(live_environment)
    for name in ("payments.db", f"payments.db{suffix}"):
        (tmp_path / name).touch(mode=0o600)
    Settings.from_environment(live_environment)
    (tmp_path / f"payments.db{suffix}").chmod(mode)
    assert "chmod 600" in problems(live_environment)["DATABASE_URL"]


def test_no_secret_is_shown_in_a_message_or_a_repr(environment: Environment) -> None:
    planted = "planted-secret"
    wrong = dict.fromkeys(("ENCRYPTION_KEY", "WEBHOOK_SECRET", "NOTIFY_SECRET", "ENCRYPTION_KEYS"), planted)
    for url in (f"x://u:{planted}@h", f"postgresql://h/n?password={planted}&{planted}=1&ssl=1"):
        for text in problems({**environment, **wrong, "DATABASE_URL": url}).values():
            assert planted not in text
    found = Settings.from_environment({**environment, "DATABASE_URL": f"postgresql://u:{planted}@h/n"})
    for secret in (planted, *(environment[name] for name in ("MAIN_BACKEND_API_KEY", "KEY_PEPPER", "ENCRYPTION_KEY"))):
        assert secret not in f"{found} {found!r}"
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
    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602])
    def test_a_file_that_others_may_read_or_write_is_refused(
        self, environment: Environment, file: Path, mode: int
    ) -> None:
        del environment["KEY_PEPPER"]
        file.chmod(mode)
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
