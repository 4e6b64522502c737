"""`khqr encode`, `decode`, `verify` and `inspect`: each as a process of its own once, the tables in this one."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakong_khqr import KHQR, emv

STATIC = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="ហាងកាហ្វេ").payload
LEAST = ("--bakong-account-id", "sokha@aclb", "--merchant-name", "Sokha Coffee")


Khqr = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def khqr(khqr_here: Callable[..., "subprocess.CompletedProcess[bytes]"]) -> Khqr:
    """`khqr("verify", given="...")` in this process."""

    def run(*arguments: str, given: str | bytes = "") -> "subprocess.CompletedProcess[str]":
        return as_text(khqr_here(*arguments, stdin=given.encode() if isinstance(given, str) else given))

    return run


def khqr_process(*arguments: str, given: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """The same as a process of its own."""
    return as_text(
        subprocess.run(
            [sys.executable, "-m", "bakong_khqr.cli", *arguments],
            input=given.encode(),
            capture_output=True,
            check=False,
            env=os.environ | environment,
        )
    )


def as_text(finished: "subprocess.CompletedProcess[bytes]") -> "subprocess.CompletedProcess[str]":
    said, complained = finished.stdout.decode(), finished.stderr.decode()
    return subprocess.CompletedProcess(finished.args, finished.returncode, said, complained)


def test_a_code_is_made_and_piped_through_all_the_others() -> None:
    made = khqr_process(
        "encode", *LEAST, "--currency", "USD", "--amount", "2.50", "--expires-in", "10m", "--bill-number", "INV-1"
    )
    assert (made.returncode, made.stderr) == (0, "")
    decoded = khqr_process("decode", "--json", given=made.stdout)
    fields = json.loads(decoded.stdout)
    assert fields["payload"] == made.stdout.strip()
    assert (fields["amount"], fields["currency"], fields["bill_number"]) == ("2.50", "USD", "INV-1")
    assert fields["md5"] == KHQR.decode(made.stdout.strip()).md5
    verified = khqr_process("verify", given=made.stdout)
    assert (verified.returncode, verified.stdout) == (0, "valid\n")
    inspected = khqr_process("inspect", given=made.stdout)
    assert inspected.returncode == 0
    assert inspected.stdout.startswith("A valid KHQR.")


def test_every_option_is_a_field(khqr: Khqr) -> None:
    fields = {
        "bakong_account_id": "shop@abaa",
        "merchant_name": "Shop",
        "merchant_city": "Siem Reap",
        "currency": "KHR",
        "amount": "10000",
        "merchant_id": "123456",
        "acquiring_bank": "ABA",
        "bill_number": "a",
        "mobile_number": "b",
        "store_label": "c",
        "terminal_label": "d",
        "purpose_of_transaction": "e",
        "language_preference": "km",
        "merchant_name_alternate_language": "ហាង",
        "merchant_city_alternate_language": "សៀមរាប",
        "upi_account_information": "12345678",
        "merchant_category_code": "5812",
        "created_at": "2026-01-31T17:00:00+07:00",
        "expires_at": "1769854200000",
    }
    options = [word for name, value in fields.items() for word in (f"--{name.replace('_', '-')}", value)]
    made = khqr("encode", *options, "--json")
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    moments = {"created_at": "2026-01-31T10:00:00+00:00", "expires_at": "2026-01-31T10:10:00+00:00"}
    assert found == fields | moments | {
        "kind": "merchant",
        "point_of_initiation_method": "12",
        "payload": found["payload"],
        "md5": KHQR.decode(found["payload"]).md5,
        "account_information": None,
    }
    assert found == KHQR.decode(found["payload"]).to_dict()
    individual = khqr("encode", *LEAST, "--account-information", "012345678", "--json")
    assert json.loads(individual.stdout)["account_information"] == "012345678"


@pytest.mark.parametrize("given", [STATIC, STATIC + "\n", STATIC + "\r\n", "\ufeff" + STATIC])
def test_a_payload_is_read_from_standard_input_without_the_shells_line_end(khqr: Khqr, given: str) -> None:
    assert khqr("verify", given=given).returncode == 0
    assert khqr("verify", "-", given=given).returncode == 0


def test_a_payload_is_taken_as_an_argument(khqr: Khqr) -> None:
    assert khqr("verify", STATIC).returncode == 0
    assert khqr("verify", "-1").returncode == 1


@pytest.mark.parametrize("command", ["decode", "verify", "inspect"])
@pytest.mark.parametrize("given", ["", "hello", STATIC[:-1], STATIC.replace("sokha", "dokha")])
def test_a_wrong_payload_is_exit_code_1(khqr: Khqr, command: str, given: str) -> None:
    finished = khqr(command, given=given)
    assert finished.returncode == 1
    assert "CRC" in finished.stdout + finished.stderr
    told = json.loads(khqr(command, "--json", given=given).stdout)
    assert told["valid"] is False
    assert told["problems"][0]["code"] in {8, 24}
    assert told["problems"][0]["change"]


def test_verify_names_what_happened_to_a_text_on_its_way(khqr: Khqr) -> None:
    finished = khqr("verify", f'"{STATIC}"')
    assert finished.returncode == 1
    assert "note: there are quotes around the text. Copy the text without them." in finished.stdout
    assert "note:" not in khqr("verify", STATIC[:-1]).stdout


def test_bytes_that_are_no_text_are_a_wrong_payload(khqr: Khqr) -> None:
    finished = khqr("inspect", given=b"\xff\xfe\x00")
    assert finished.returncode == 1
    assert "U+DCFF has no place in a payload" in finished.stdout


def test_expiry_is_judged_by_the_time_that_is_given(khqr: Khqr) -> None:
    made = khqr("encode", *LEAST, "--amount", "100", "--created-at", "1764000000000", "--expires-at", "1764000600000")
    assert khqr("verify", given=made.stdout).stdout.startswith("wrong: the code expired at 2025-11-24 16:10:00 UTC")
    assert khqr("verify", "--now", "2025-11-24T23:05:00+07:00", given=made.stdout).returncode == 0
    for command in ("verify", "inspect"):
        unusable = khqr(command, "--now", "2025-11-24T23:05:00", given=made.stdout)
        assert (unusable.returncode, unusable.stdout) == (2, "")
        assert "time zone" in unusable.stderr


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ((), 1, "khqr encode: --bakong-account-id (data object 29.00) is required"),
        (("--bakong-account-id", "a@b"), 1, "--merchant-name (data object 59) is required"),
        ((*LEAST, "--merchant-id", "1"), 1, "--acquiring-bank (data object 30.02) is required"),
        ((*LEAST, "--amount", "1.5"), 1, "--amount '1.5': riel are whole"),
        ((*LEAST, "--amount", "1"), 1, "pass --expires-in or --expires-at"),
        ((*LEAST, "--amount", "1", "--expires-in", "ten"), 2, "--expires-in 'ten' isn't a duration"),
        ((*LEAST, "--amount", "1", "--expires-at", "tomorrow"), 2, "--expires-at 'tomorrow' isn't a time"),
        ((*LEAST, "--amount", "1", "--expires-at", "2026-01-01"), 2, "time zone"),
        (
            (*LEAST, "--merchant-id", "1", "--account-information", "1"),
            2,
            "--account-information is only for an individual's code, and --merchant-id",
        ),
        ((*LEAST, "--out", "codes"), 2, "--out goes with --csv"),
        (("--csv", "nowhere.csv"), 2, "--csv needs --out"),
        (("--csv", "nowhere.csv", "--out", "codes"), 2, "nowhere.csv"),
        ((*LEAST, "--colour", "red"), 2, "--colour"),
    ],
)
def test_a_field_that_is_wrong_is_1_and_an_option_that_cannot_be_used_is_2(
    khqr: Khqr, options: tuple[str, ...], code: int, told: str
) -> None:
    finished = khqr("encode", *options)
    assert (finished.returncode, finished.stdout) == (code, "")
    assert told in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("command", ["encode", "decode", "verify", "inspect"])
def test_the_help_tells_every_option_and_the_exit_codes(khqr: Khqr, command: str) -> None:
    finished = khqr(command, "--help")
    assert finished.returncode == 0
    assert "Exit code 0" in finished.stdout
    assert "--json" in finished.stdout


def test_khmer_is_printed_whatever_the_code_page() -> None:
    finished = khqr_process("decode", STATIC, PYTHONIOENCODING="cp1252")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "ហាងកាហ្វេ" in finished.stdout


def test_a_payload_from_abroad_is_explained_and_not_valid(khqr: Khqr) -> None:
    text = "00020101021129370016A000000677010111011300660000000005802TH53037646304"
    finished = khqr("inspect", "--json", given=text + emv.crc16(text))
    found: dict[str, Any] = json.loads(finished.stdout)
    assert finished.returncode == 1
    assert [one["id"] for one in found["data_objects"]] == ["00", "01", "29", "58", "53", "63"]
    assert 1008 in [one["code"] for one in found["problems"]]


@pytest.mark.skipif(sys.platform == "win32", reason="speaks of descriptors as POSIX shells do")
@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("inspect '{}' > /dev/full", 2, "khqr: [Errno 28] No space left on device\n"),
        ("encode --bakong-account-id a@b --merchant-name x > /dev/full", 2, "khqr: [Errno 28]"),
        ("inspect '{}' --json | true; exit ${{PIPESTATUS[0]}}", 2, ""),
        ("verify '{}' >&-", 0, ""),
        ("verify <&-", 1, ""),
    ],
)
def test_an_answer_that_cannot_be_told_is_no_answer(line: str, code: int, told: str) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = f"{shlex.quote(sys.executable)} -m bakong_khqr.cli {line.format(STATIC)}"
    finished = subprocess.run(["bash", "-c", command], capture_output=True, check=False, text=True)
    assert finished.returncode == code
    assert finished.stderr.startswith(told)
    assert "Traceback" not in finished.stderr
