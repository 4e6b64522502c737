"""Paying a code as a bank's app does."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from bakong_khqr import emv
from bakong_khqr.money import Currency
from bakong_khqr.testing import BakongSimulator, simulator

Check = Callable[..., tuple[int, int | None, Any]]
Build = Callable[..., str]

MD5 = "0123456789abcdef0123456789abcdef"


def test_what_the_code_says_is_what_is_paid(bakong: BakongSimulator, payload: str) -> None:
    payment = bakong.pay(payload)
    assert payment.md5 == hashlib.md5(payload.encode()).hexdigest()
    assert (payment.to_account_id, payment.currency, payment.amount) == ("sokha@aclb", Currency.USD, Decimal("2.50"))


def test_anything_with_a_payload_can_be_paid(bakong: BakongSimulator, payload: str) -> None:
    assert bakong.pay(SimpleNamespace(payload=payload)).md5 == bakong.pay(payload).md5


@pytest.mark.parametrize(
    ("details", "member", "value"),
    [
        ({"amount": "0.01"}, "amount", Decimal("0.01")),
        ({"amount": 4000}, "amount", Decimal(4000)),
        ({"currency": "KHR"}, "currency", Currency.KHR),
        ({"currency": 116}, "currency", Currency.KHR),
        ({"currency": Currency.KHR}, "currency", Currency.KHR),
        ({"to_account_id": "thief@demo"}, "to_account_id", "thief@demo"),
        ({"from_account_id": "abaakhppxxx@abaa"}, "from_account_id", "abaakhppxxx@abaa"),
        ({"created_at_ms": 1700000000123}, "created_at_ms", 1700000000123),
        ({"created_at": datetime(2026, 1, 1, tzinfo=UTC)}, "created_at_ms", 1767225600000),
        ({"description": "WG/PM/QR/1"}, "description", "WG/PM/QR/1"),
        ({"tracking_status": "RECEIVE_AT_ACH"}, "tracking_status", "RECEIVE_AT_ACH"),
    ],
)
def test_every_detail_can_be_other_than_the_code_says(
    bakong: BakongSimulator, payload: str, details: Any, member: str, value: Any
) -> None:
    assert getattr(bakong.pay(payload, **details), member) == value


def test_dates_are_whole_seconds_and_acknowledged_one_later(bakong: BakongSimulator, payload: str) -> None:
    payment = bakong.pay(payload)
    assert payment.created_at_ms == 1795435200000  # noon, cut from 250 milliseconds past
    assert payment.acknowledged_at_ms == payment.created_at_ms + 1000


def test_a_code_without_an_amount_needs_one(bakong: BakongSimulator, build: Build) -> None:
    with pytest.raises(ValueError, match=r"^amount: is needed"):
        bakong.pay(build(amount=None, static=True))
    assert bakong.pay(build(amount=None, static=True), amount="5").amount == 5


def test_an_md5_is_paid_as_its_code_says_once_the_code_was_seen(bakong: BakongSimulator, payload: str) -> None:
    md5 = bakong.remember(payload).md5
    assert bakong.pay(md5).amount == Decimal("2.50")


@pytest.mark.parametrize("missing", ["amount", "currency", "to_account_id"])
def test_an_md5_of_no_seen_code_needs_all_three(bakong: BakongSimulator, missing: str) -> None:
    details: dict[str, Any] = {"amount": 1, "currency": "USD", "to_account_id": "sokha@aclb"}
    assert bakong.pay(MD5, **details).md5 == MD5
    del details[missing]
    with pytest.raises(ValueError, match=f"^{missing}: is needed"):
        bakong.pay(MD5, **details)


@pytest.mark.parametrize(
    ("amount", "error", "rule"),
    [
        (2.5, TypeError, "isn't a Decimal"),
        (True, TypeError, "isn't a Decimal"),
        ("much", ValueError, "isn't a number such as"),
        ("", ValueError, "isn't a number such as"),
        (0, ValueError, "isn't above 0"),
        ("-1", ValueError, "isn't above 0"),
        ("NaN", ValueError, "isn't above 0"),
        ("Infinity", ValueError, "isn't above 0"),
        ("1e15", ValueError, "isn't above 0"),
    ],
)
def test_an_amount_that_is_none_is_refused_and_nothing_is_paid(
    bakong: BakongSimulator, payload: str, amount: Any, error: Any, rule: str
) -> None:
    with pytest.raises(error, match=f"^amount: .*{rule}"):
        bakong.pay(payload, amount=amount)
    assert len(bakong.payments) == 0


def test_a_currency_that_bakong_lacks_is_refused(bakong: BakongSimulator, payload: str) -> None:
    with pytest.raises(ValueError, match=r"^currency: "):
        bakong.pay(payload, currency="THB")


def test_a_time_without_a_zone_is_refused(bakong: BakongSimulator, payload: str) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        bakong.pay(payload, created_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake under test


def with_crc(text: str) -> str:
    return text + "6304" + emv.crc16(text + "6304")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("hello", "isn't a code that a bank's app can read"),
        ("", "isn't a code that a bank's app can read|CRC"),
        (with_crc("000201530384054011"), r"no Bakong account ID \(29.00 or 30.00\)"),
        (with_crc("00020129080004a@bc53037645802KH"), r"currency \(53\) is '764'"),
        (with_crc("00020129080004a@bc5802KH"), r"currency \(53\) is None"),
        (with_crc("00020129080004a@bc530384054020x"), "amount: '0x' isn't a number"),
    ],
)
def test_what_no_bank_s_app_would_pay_is_refused(bakong: BakongSimulator, text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        bakong.pay(text)


def test_a_code_changed_after_its_crc_is_refused(bakong: BakongSimulator, payload: str) -> None:
    with pytest.raises(ValueError, match=r"^qr: its CRC \(63\) is"):
        bakong.pay(payload.replace("2.50", "9.50"))


def test_a_lower_case_crc_is_paid_under_the_md5_of_that_very_text(bakong: BakongSimulator, payload: str) -> None:
    lower = payload[:-4] + payload[-4:].lower()
    assert bakong.pay(lower).md5 == hashlib.md5(lower.encode()).hexdigest()


def test_a_payment_is_seen_only_after_its_delay(bakong: BakongSimulator, check: Check, payload: str) -> None:
    payment = bakong.pay(payload, visible_after=timedelta(seconds=10))
    assert check("check_transaction_by_md5", {"md5": payment.md5})[1] == 1
    assert check("check_transaction_by_md5_list", [payment.md5])[2][0]["status"] == "NOT_FOUND"
    bakong.advance(timedelta(seconds=10))
    assert check("check_transaction_by_md5", {"md5": payment.md5})[1] is None
    assert payment.created_at_ms == 1795435200000


def test_every_payment_is_seen_late_where_the_switch_says_so(
    bakong: BakongSimulator, check: Check, payload: str
) -> None:
    bakong.configure(visible_after_seconds=3)
    payment = bakong.pay(payload)
    bakong.advance(timedelta(seconds=2))
    assert check("check_transaction_by_md5", {"md5": payment.md5})[1] == 1
    bakong.advance(timedelta(seconds=1))
    assert check("check_transaction_by_md5", {"md5": payment.md5})[1] is None


def test_two_simulators_share_no_hash_unless_they_share_a_seed(payload: str) -> None:
    assert BakongSimulator().pay(payload).hash != BakongSimulator().pay(payload).hash
    assert BakongSimulator(seed=7).pay(payload).hash == BakongSimulator(seed=7).pay(payload).hash


def test_the_oldest_of_many_seen_codes_is_forgotten_but_its_payment_is_not(
    bakong: BakongSimulator,
    check: Check,
    build: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulator, "_REMEMBERED_CODES", 100)  # of 10,000
    first = bakong.pay(build(amount="1"))
    for number in range(99):
        bakong.remember(build(amount=str(number + 2)))
    assert bakong.pay(first.md5).md5 == first.md5
    for number in range(99, 101):
        bakong.remember(build(amount=str(number + 2)))
    with pytest.raises(ValueError, match="is needed"):
        bakong.pay(first.md5)
    assert check("check_transaction_by_md5", {"md5": first.md5})[2]["hash"] == first.hash
