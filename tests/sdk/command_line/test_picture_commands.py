"""`khqr image` and `khqr card`: what is written where, and the exit codes; each through a real process once."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from bakong_khqr import KHQR

Khqr = Callable[..., CompletedProcess[bytes]]

KHQR_CODE = KHQR.individual(
    bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee", currency="USD", bill_number="INV-0042"
)
KHMER_CODE = KHQR.individual(
    bakong_account_id="sokha@aclb",
    merchant_name="ហាង Sokha",
    language_preference="km",
    merchant_name_alternate_language="ហាងកាហ្វេ សុខា",
)


@pytest.fixture
def khqr(khqr_here: Khqr) -> Any:
    """Run the command in this process; everything it says is bytes."""
    return khqr_here


def khqr_process(*arguments: Any, stdin: bytes = b"") -> Any:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "bakong_khqr.cli", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


def read_back(png: bytes) -> Any:
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        (found,) = zxingcpp.read_barcodes(image.convert("RGB"))
    return found.text


def test_a_file_gets_the_format_of_its_name(khqr: Khqr, tmp_path: Path) -> None:
    path = tmp_path / "qr.png"
    done = khqr("image", KHQR_CODE.payload, "--out", path, "--scale", 4)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith(f"{path}: PNG, ")
    assert path.read_bytes() == KHQR_CODE.to_png(scale=4)

    path = tmp_path / "card.svg"
    assert khqr("card", KHMER_CODE.payload, "-o", path).returncode == 0
    assert path.read_text(encoding="utf-8") == KHMER_CODE.to_card(format="svg")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["card.svg", "qr.png"]


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_a_payload_may_come_by_standard_input(arguments: Any) -> None:
    done = khqr_process("card", *arguments, stdin=KHMER_CODE.payload.encode() + b"\r\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert read_back(done.stdout) == KHMER_CODE.payload


def test_the_terminal_is_the_default_and_its_blocks_are_utf_8() -> None:
    done = khqr_process("image", KHQR_CODE.payload)
    assert done.returncode == 0
    assert done.stdout.decode("utf-8") == KHQR_CODE.to_terminal()


def test_json_holds_the_picture_or_where_it_is(khqr: Khqr, tmp_path: Path) -> None:
    answer = json.loads(khqr("image", KHQR_CODE.payload, "--json").stdout)
    assert (answer["format"], answer["path"]) == ("png", None)
    assert read_back(base64.b64decode(answer["data_uri"].removeprefix("data:image/png;base64,"))) == KHQR_CODE.payload
    path = tmp_path / "card.png"
    answer = json.loads(khqr("card", KHQR_CODE.payload, "--json", "-o", path).stdout)
    assert answer == {"format": "png", "path": str(path), "data_uri": None}
    assert read_back(path.read_bytes()) == KHQR_CODE.payload


def test_the_icon_and_the_logo_are_drawn(khqr: Khqr, tmp_path: Path) -> None:
    picture = tmp_path / "mine.png"
    Image.new("RGB", (64, 64), "#00FF00").save(picture)
    done = khqr("card", KHQR_CODE.payload, "--icon", picture, "--logo", picture, "--width", 400)
    assert done.stdout == KHQR_CODE.to_card(width=400, icon=picture, logo=picture)
    done = khqr("image", KHQR_CODE.payload, "--icon", picture, "--icon-size", 0.1)
    assert read_back(done.stdout) == KHQR_CODE.payload


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["image", "00020101"], 1, "khqr image: "),
        (["card", KHQR_CODE.payload[:-1] + "x"], 1, "khqr card: "),
        (["image", ""], 1, "khqr image: "),
        (["card", KHQR_CODE.payload, "--width", "399"], 2, "khqr card: width: 399 pixels are too few"),
        (["card", KHMER_CODE.payload, "--width", "599"], 2, "needs at least 600"),
        (["image", KHQR_CODE.payload, "--format", "svg", "--scale", "0"], 2, "khqr image: scale: 0 is less than 1"),
        (["image", KHQR_CODE.payload, "--icon", "no-such.png"], 2, "no-such.png"),
        (["image", KHQR_CODE.payload, "-o", "qr.jpg"], 2, "--out: qr.jpg ends in neither .png nor .svg"),
        (["image", KHQR_CODE.payload, "-o", "no/such/folder/qr.png"], 2, "folder"),
        (["image", KHQR_CODE.payload, "--json", "--format", "terminal"], 2, "--json: it needs --format png or svg"),
        (["card", KHQR_CODE.payload, "--font", __file__], 2, "fonts: this is not a TrueType or OpenType font"),
    ],
)
def test_what_is_wrong_is_said_on_standard_error_with_its_exit_code(
    khqr: Khqr, arguments: Any, code: Any, message: str
) -> None:
    done = khqr(*arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert message in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_input_that_is_not_text_is_a_wrong_payload(khqr: Khqr) -> None:
    done = khqr("image", stdin=b"\xff\xfe\x00")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["image", "card"])
def test_json_tells_what_is_wrong_with_a_payload(khqr: Khqr, command: Any) -> None:
    done = khqr(command, "00020101", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["valid"]) == (1, False)
    assert answer["problems"][0]["code"]


@pytest.mark.parametrize("command", ["image", "card"])
def test_help_tells_the_exit_codes_and_every_option(khqr: Khqr, command: Any) -> None:
    text = " ".join(khqr(command, "--help").stdout.decode().split())
    for words in (
        "Exit code 0",
        "1: the payload is wrong",
        "2: a wrong option",
        "--out",
        "--format",
        "--icon",
        "--json",
    ):
        assert words in text
