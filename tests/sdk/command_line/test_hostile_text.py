"""What others wrote is printed as text by every command: no escape sequence, no control of direction, no traceback.

The words come from a code's payload, from the answers of a server, from a CSV file, and from the command line itself.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from bakong_khqr import KHQR
from bakong_khqr.cli.app import app
from bakong_khqr.emv.crc import crc16
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import serve

HOSTILE = "[/red]\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202e\u2066\x7f\r\n\tend"
ACTS = set("\x1b\x07\x9b\u202e\u2066\x7f\r\t")
SHOWN = "[/red]"
ACCOUNT = {
    "fullName": HOSTILE, "accountStatus": HOSTILE, "kycStatus": HOSTILE, "canReceive": True, "frozen": False,
}  # fmt: skip
TRANSACTION = {
    "hash": "0" * 64, "fromAccountId": HOSTILE, "toAccountId": HOSTILE, "currency": "USD", "amount": 2.5,
    "description": HOSTILE, "createdDateMs": 1_700_000_000_000, "acknowledgedDateMs": 1_700_000_000_000,
    "externalRef": HOSTILE, "trackingStatus": HOSTILE, "receiverBank": HOSTILE,
}  # fmt: skip

THEN = datetime(2025, 1, 1, tzinfo=UTC)  # a watch of this code ends with its first answer

Run = Callable[..., str]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[BakongSimulator]:
    simulator = BakongSimulator()
    with serve(simulator) as url:
        monkeypatch.setenv("BAKONG_BASE_URL", url)
        monkeypatch.setenv("BAKONG_TOKEN", "simulator")
        monkeypatch.setenv("BAKONG_EMAIL", "simulator@example.test")
        monkeypatch.setenv("KHQR_LANGUAGE", "en")
        yield simulator


@pytest.fixture
def run(khqr_here: Callable[..., CompletedProcess[bytes]]) -> Run:
    """Run a command in both ways of speaking. All that it printed must be text."""

    def run(*words: object, code: int | None = None, shows: bool = True, ways: Any = ((), ("--json",))) -> str:
        printed = ""
        for more in ways:
            ended = khqr_here(*words, *more)
            here = (ended.stdout + ended.stderr).decode()
            assert not ACTS & set(here), (words, more, here)
            assert "Traceback" not in here, here
            assert code is None or ended.returncode == code, here
            assert SHOWN in here or not shows, here
            printed += here
        return printed

    return run


def payload_with(name: str) -> str:
    """A payload of somebody else, whose merchant is called so."""
    made = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="x" * len(name)).payload
    body = made.replace("x" * len(name), name)[:-4]
    return body + crc16(body)


HOSTILE_PAYLOADS = [payload_with("[/red]\u202e\u2066end"), payload_with("[/red]\x1b]0;x\x07")]


@pytest.mark.parametrize("payload", HOSTILE_PAYLOADS, ids=["direction", "escape"])
@pytest.mark.parametrize("command", ["decode", "verify", "inspect", "image", "card", "check", "watch", "deeplink"])
def test_a_payload_is_shown_as_text(
    run: Run, simulator: BakongSimulator, tmp_path: Path, command: str, payload: str
) -> None:
    simulator.inject(kind="error_code", error_code=42, message=HOSTILE, times=None)
    out = {"image": ("--out", tmp_path / "a.png"), "card": ("--out", tmp_path / "b.png")}.get(command, ())
    run(command, payload, *out, shows=False)


def test_a_decoded_name_is_shown_with_its_invisible_characters(run: Run) -> None:
    assert r"[/red]\u202e\u2066end" in run("decode", HOSTILE_PAYLOADS[0], code=0)


@pytest.mark.parametrize("command", ["check", "account", "deeplink", "token renew", "watch", "doctor"])
@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "error_code", "error_code": 42, "message": HOSTILE},
        {"kind": "error_code", "error_code": 6, "message": HOSTILE},
        {"kind": "garbage", "body": HOSTILE, "content_type": "text/plain"},
        {"kind": "answer", "status": 500, "body": HOSTILE},
        {"kind": "answer", "status": 200, "body": json.dumps({"responseCode": HOSTILE, "responseMessage": HOSTILE})},
    ],
)
def test_a_servers_words_are_shown_as_text(
    run: Run, simulator: BakongSimulator, tmp_path: Path, command: str, answer: dict[str, Any]
) -> None:
    simulator.inject(times=None, **answer)
    code = KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="Sokha",
        currency="USD",
        amount="1",
        created_at=THEN,
        expires_at=THEN + timedelta(minutes=1),
    )
    subject = {"check": (code.md5,), "watch": (code.payload, "--sparing"), "account": ("sokha@aclb",),
               "deeplink": (code.payload,), "token renew": ("--out", tmp_path / "token")}  # fmt: skip
    run(*command.split(), *subject.get(command, ()), shows=False)


def test_an_accounts_name_is_shown_as_text(run: Run, simulator: BakongSimulator) -> None:
    simulator.inject(times=None, kind="answer", status=200, content_type="application/json", body=success(ACCOUNT))
    run("account", "sokha@aclb", code=0)


def test_a_transactions_words_are_shown_as_text(run: Run, simulator: BakongSimulator) -> None:
    simulator.inject(times=None, kind="answer", status=200, content_type="application/json", body=success(TRANSACTION))
    run("check", "0" * 32, code=0)


def success(data: Any) -> str:
    return json.dumps({"responseCode": 0, "responseMessage": HOSTILE, "errorCode": None, "data": data})


def test_the_cells_of_a_file_are_shown_as_text_and_are_no_formula(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "codes.csv"
    cells = f'"{HOSTILE}",sokha@aclb,\n"Sokha",sokha@aclb,"=1[/red]+2"\n"Sokha","=cmd\x1b@x",1\n'
    source.write_text(f"merchant_name,bakong_account_id,amount\n{cells}", encoding="utf-8", newline="")
    run("encode", "--csv", source, "--out", tmp_path / "out", ways=[()], code=1)
    run("encode", "--csv", source, "--out", tmp_path / "again", ways=[("--json",)], code=1)
    for file in tmp_path.glob("*/errors.csv"):
        assert not [cell for cell in file.read_text(encoding="utf-8-sig").split('"') if cell.startswith("=")]


@pytest.mark.parametrize(
    "words",
    [
        ("encode", "--merchant-name", HOSTILE, "--bakong-account-id", "sokha@aclb"),
        ("encode", "--csv", f"/none/{HOSTILE}", "--out", "x"),
        ("decode", HOSTILE),
        ("image", HOSTILE),
        ("check", HOSTILE),
        ("account", HOSTILE),
        ("token", "show", "--token-file", f"/none/{HOSTILE}"),
        ("simulate", "--scenario", f"/none/{HOSTILE}"),
        ("doctor", "--base-url", f"http://{HOSTILE}/"),
    ],
)
def test_an_argument_is_shown_as_text(run: Run, simulator: BakongSimulator, words: tuple[str, ...]) -> None:
    run(*words, shows=False)


def test_every_command_is_walked() -> None:
    walked = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in app if not name.startswith("-") and f'"{name}' not in walked] == []
