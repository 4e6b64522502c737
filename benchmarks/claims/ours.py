"""This package: `observe(key)` answers a question of `questions.py`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from bakong_khqr import KHQR, BakongClient, BakongError, Transaction, verify
from bakong_khqr.emv import crc16
from bakong_khqr.testing import BakongSimulator
from benchmarks.claims.questions import PAYLOADS


def observe(key: str) -> str:
    """Return what this package does, as the end of the question's sentence."""
    return _OBSERVATIONS[key]()


def _made(**fields: Any) -> str:
    code: dict[str, Any] = {
        "bakong_account_id": "sokha@aclb",
        "merchant_name": "Sokha",
        "currency": "USD",
        "amount": "10.50",
        "expires_in": timedelta(minutes=10),
    }
    try:
        return f"makes `{KHQR.individual(**code | fields).payload}`"
    except (BakongError, TypeError) as error:
        return f"is refused: `{type(error).__name__}`"


def _checked(
    prepare: Callable[[BakongSimulator, KHQR], object], check: Callable[[BakongClient, KHQR], Transaction | None]
) -> str:
    simulator = BakongSimulator()
    khqr = KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="Sokha",
        currency="USD",
        amount="10.50",
        expires_in=timedelta(minutes=10),
    )
    prepare(simulator, khqr)
    with BakongClient("simulator", http_client=httpx.Client(transport=simulator.transport()), retry=None) as bakong:
        try:
            return "`None`" if check(bakong, khqr) is None else "paid"
        except BakongError as error:
            return f"`{type(error).__name__}`"


def _once(bakong: BakongClient, khqr: KHQR) -> Transaction | None:
    return bakong.transaction_by_md5(khqr.md5)


def _read(payload: str) -> str:
    try:
        KHQR.decode(payload)
    except BakongError as error:
        return f"ends with `{type(error).__name__}`"
    return "succeeds"


def _verified(payload: str) -> str:
    codes = ", ".join(f"`{problem.code.name}`" for problem in verify(payload).problems)
    return codes or "valid"


_OBSERVATIONS: dict[str, Callable[[], str]] = {
    "token_expired": lambda: _checked(lambda simulator, _: simulator.inject("unauthorized", times=None), _once),
    "server_error": lambda: _checked(
        lambda simulator, _: simulator.inject("server_error", status=500, times=None), _once
    ),
    "other_money": lambda: _checked(
        lambda simulator, khqr: simulator.pay(khqr, amount="0.01", to_account_id="stranger@aclb"),
        lambda bakong, khqr: bakong.wait_for_payment(khqr),
    ),
    "long_labels": lambda: _made(
        bill_number="1" * 25, mobile_number="2" * 25, store_label="3" * 25, terminal_label="4" * 25
    ),
    "amount_nan": lambda: _made(amount="NaN"),
    "amount_too_exact": lambda: _made(amount="1.005"),
    "riel_with_decimals": lambda: _made(amount="1000.75", currency="KHR"),
    "account_without_bank": lambda: _made(bakong_account_id="sokha"),
    "letters_in_template": lambda: _read(PAYLOADS["letters_in_template"]),
    "repeated_amount": lambda: _verified(PAYLOADS["repeated_amount"]),
    "wrong_checksum": lambda: _verified(PAYLOADS["wrong_checksum"]),
    "short_checksum": lambda: str(sum(len(crc16(str(number))) != 4 for number in range(1_000_000))),
}
