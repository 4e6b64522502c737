"""What `import bakong_khqr` costs, and what the type checker sees from outside."""

import subprocess
import sys
from pathlib import Path

import pytest

import bakong_khqr
from bakong_khqr import errors

HEAVY = {"httpx", "PIL", "qrcode", "asyncio", "anyio", "starlette", "uvicorn", "cyclopts", "rich", "ssl", "socket"}

SAMPLE = '''\
"""The public interface, used as a stranger would."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import assert_type

from bakong_khqr import (
    KHQR,
    Account,
    AsyncBakongClient,
    BakongClient,
    BakongError,
    Currency,
    DailyBudget,
    ErrorCode,
    IndividualFields,
    Inspection,
    InvalidKHQR,
    Outcome,
    PaymentMismatch,
    RetryPolicy,
    Token,
    Transaction,
    Verification,
    emv,
    errors,
    inspect,
    verify,
)

khqr = KHQR.individual(
    bakong_account_id="sokha@aclb",
    merchant_name="Sokha Coffee",
    currency="USD",
    amount=Decimal("2.50"),
    expires_in=timedelta(minutes=10),
)
assert_type(khqr, KHQR)
assert_type(khqr.payload, str)
assert_type(khqr.md5, str)
assert_type(khqr.amount, Decimal | None)
assert_type(khqr.currency, Currency)
assert_type(khqr.created_at, datetime | None)
assert_type(khqr.bill_number, str | None)
assert_type(khqr.is_static, bool)
assert_type(khqr.is_expired(datetime.now(UTC)), bool)
assert_type(khqr.data_objects, tuple[emv.DataObject, ...])
assert_type(khqr.to_png("qr.png"), bytes)
assert_type(khqr.to_svg(), str)
assert_type(khqr.to_terminal(), str)
assert_type(khqr.to_data_uri("svg"), str)
assert_type(khqr.to_card(), bytes)
assert_type(khqr.to_card(format="svg"), str)
assert_type(KHQR.decode(khqr.payload), KHQR)
merchant = KHQR.merchant(bakong_account_id="a@b", merchant_name="x", merchant_id="1", acquiring_bank="B", currency=840)
assert_type(merchant, KHQR)
assert_type(verify(khqr.payload), Verification)
assert_type(verify(khqr.payload).problems, tuple[InvalidKHQR, ...])
assert_type(verify(khqr.payload).error_code, ErrorCode | None)
assert_type(inspect(khqr.payload), Inspection)
assert_type(emv.parse(khqr.payload), tuple[emv.DataObject, ...])
assert_type(emv.build(emv.parse(khqr.payload)), str)
assert_type(emv.crc16("6304"), str)

shop: IndividualFields = {"bakong_account_id": "sokha@aclb", "merchant_name": "Sokha Coffee"}
assert_type(KHQR.individual(**shop), KHQR)


def check(token: str) -> None:
    with BakongClient(token, retry=RetryPolicy(attempts=1), budget=DailyBudget(100)) as bakong:
        assert_type(bakong, BakongClient)
        assert_type(bakong.token, Token | None)
        assert_type(bakong.transaction_by_md5(khqr.md5), Transaction | None)
        assert_type(bakong.transactions_by_md5([khqr.md5]), dict[str, Outcome])
        assert_type(bakong.check_account("sokha@aclb"), Account | None)
        try:
            assert_type(bakong.wait_for_payment(khqr).amount, Decimal)
        except PaymentMismatch as mismatch:
            assert_type(mismatch.transaction, Transaction)
        except (errors.Blocked, BakongError) as error:
            assert_type(error.retry_at, datetime | None)


async def check_async(token: str) -> None:
    async with AsyncBakongClient(token) as bakong:
        assert_type(await bakong.transaction_by_md5(khqr.md5), Transaction | None)
'''

MISTAKES = """\
import bakong_khqr
from bakong_khqr import KHQR
KHQR.individual(bakong_account_id="a@b", merchant_name=1)
KHQR.individual(bakong_account_id="a@b", merchant_name="x", amount=2.5)
KHQR.individual("a@b", "x")
KHQR.individual(bakong_account_id="a@b")
KHQR.decode(b"000201")
KHQR.decode("000201").to_png(scale="3")
KHQR.decode("000201").to_terminal(scale=3)
KHQR.decode("000201").to_card(format="svg", scale=3)
KHQR.decode("000201").payload = ""
KHQR.individual(bakong_account_id="a@b", merchant_name="x", merchant_id="1")
KHQR.merchant(bakong_account_id="a@b", merchant_name="x", acquiring_bank="B")
bakong_khqr.BakongClients
"""


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a statement loads in a new process."""
    # What was there before is Python's own, and that of whoever measures the coverage of this process.
    command = f"import sys; before = set(sys.modules); {statement}; print(*sys.modules.keys() - before)"
    return set(
        subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    )


def test_the_root_loads_nothing_before_it_is_asked() -> None:
    assert {name for name in loaded_by("import bakong_khqr") if name.startswith("bakong_khqr")} == {"bakong_khqr"}


def test_payloads_and_errors_are_light() -> None:
    names = "KHQR, Currency, Inspection, Verification, emv, errors, inspect, verify, BakongError, PaymentMismatch"
    loaded = loaded_by(f"from bakong_khqr import {names}")
    assert "bakong_khqr.khqr" in loaded
    assert HEAVY & {name.partition(".")[0] for name in loaded} == set()


def test_every_public_name_is_there_and_no_other() -> None:
    for name in bakong_khqr.__all__:
        assert getattr(bakong_khqr, name) is not None
        assert name in dir(bakong_khqr)
    with pytest.raises(AttributeError, match="no attribute 'BakongClients'"):
        _ = bakong_khqr.BakongClients  # type: ignore[attr-defined]  # a name that isn't there is what is tried


def test_every_error_is_at_the_root() -> None:
    raised = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]
    assert set(raised) <= set(bakong_khqr.__all__)


def test_a_code_is_made_read_and_checked_without_anything_heavy() -> None:
    command = """
import sys
from bakong_khqr import KHQR, verify, inspect
khqr = KHQR.individual(bakong_account_id="a@b", merchant_name="x")
str(inspect(KHQR.decode(khqr.payload).payload))
print(bool(verify(khqr.payload)), "PIL" in sys.modules)
khqr.to_png()
print("PIL" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert found == ["True", "False", "True"]


def test_a_strict_checker_takes_the_public_interface_and_finds_what_the_library_refuses(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(SAMPLE, encoding="utf-8")
    (tmp_path / "mistakes.py").write_text(MISTAKES, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-incremental",
        "--config-file=",
        "sample.py",
        "mistakes.py",
    ]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = [line.split(":")[:2] for line in checked.stdout.splitlines() if ": error:" in line]
    assert [line for file, line in found if file != "mistakes.py"] == [], checked.stdout
    wrong = {str(number) for number in range(3, 1 + len(MISTAKES.splitlines()))}
    assert {line for _, line in found} == wrong, checked.stdout + checked.stderr
