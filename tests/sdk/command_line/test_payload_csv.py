"""`khqr encode --csv`: a folder of codes, an error report by row, and no row lost."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from bakong_khqr import KHQR

ENCODE = ("encode", "--csv", "rows.csv", "--out", "codes")
Encode = Callable[..., "subprocess.CompletedProcess[str]"]
HEADER = "bakong_account_id,merchant_name,amount,currency,expires_in,bill_number"


@pytest.fixture
def encode(khqr_here: Callable[..., "subprocess.CompletedProcess[bytes]"], monkeypatch: pytest.MonkeyPatch) -> Encode:
    """`encode(folder, "--json")` makes the folder's `rows.csv` into its `codes`, in this process."""

    def run(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.chdir(folder)
        done = khqr_here(*ENCODE, *options)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def encode_process(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """The same as a process of its own."""
    command = [sys.executable, "-m", "bakong_khqr.cli", *ENCODE, *options]
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False, env=environment)


def write(folder: Path, *lines: str, encoding: str = "utf-8", newline: str = "\n") -> None:
    (folder / "rows.csv").write_bytes((newline.join(lines) + newline).encode(encoding))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_a_picture_or_an_error_with_its_reason(tmp_path: Path) -> None:
    write(
        tmp_path,
        HEADER,
        "sokha@aclb,Sokha Coffee,2.50,USD,10m,INV/1",
        "sokha@aclb,ហាងកាហ្វេ,,,,",
        "sokha,Sokha,1,KHR,10m,",
        "",
        'sokha@aclb,"Sok, ha",1.5,KHR,10m,x',
        "sokha@aclb,Sok, ha,1,KHR,10m,x",
    )
    finished = encode_process(tmp_path)
    assert finished.returncode == 1, finished.stderr
    assert "2 codes made, 3 rows refused" in finished.stdout
    assert "row 6: amount '1.5': riel are whole" in finished.stdout
    assert "Encoding" in finished.stderr, "the progress bar goes where it doesn't spoil the output"

    codes = table(tmp_path / "codes" / "codes.csv")
    assert [(one["row"], one["file"]) for one in codes] == [("2", "00002-INV-1.png"), ("3", "00003.png")]
    for one in codes:
        with Image.open(tmp_path / "codes" / one["file"]) as image:
            assert zxingcpp.read_barcodes(image)[0].text == one["payload"]
        assert KHQR.decode(one["payload"]).md5 == one["md5"]

    errors = table(tmp_path / "codes" / "errors.csv")
    assert [(one["row"], one["code"], one["field"]) for one in errors] == [
        ("4", "3", "bakong_account_id"),
        ("6", "4", "amount"),
        ("7", "", ""),
    ]
    assert errors[1]["merchant_name"] == "Sok, ha"
    assert "7 cells and the header 6" in errors[2]["error"]


def test_the_error_report_is_mended_and_given_back(encode: Encode, tmp_path: Path) -> None:
    write(tmp_path, HEADER, "sokha@aclb,Sokha,1.5,KHR,10m,x")
    assert encode(tmp_path).returncode == 1
    report = (tmp_path / "codes" / "errors.csv").read_text(encoding="utf-8-sig")
    (tmp_path / "rows.csv").write_text(report.replace(",1.5,", ",15,"), encoding="utf-8")
    (tmp_path / "codes").rename(tmp_path / "first")
    assert encode(tmp_path).returncode == 0
    assert len(table(tmp_path / "codes" / "codes.csv")) == 1
    assert table(tmp_path / "codes" / "errors.csv") == []


def test_a_wrong_quote_is_named_with_its_line_and_costs_no_other_row(encode: Encode, tmp_path: Path) -> None:
    write(
        tmp_path,
        HEADER,
        "sokha@aclb,Sokha,1,KHR,10m,a",
        'sokha@aclb,"So"kha,1,KHR,10m,b',
        'sokha@aclb,"Dara ""D""",1,KHR,10m,c',
        'sokha@aclb,"Sok,1,KHR,10m,d',
        'sokha@aclb,"Sok, ha",1,KHR,10m,e',
        "",
        "sokha@aclb,Dara,1,KHR,10m,g",
        'sokha@aclb,"Sophea,1,KHR,10m,h',
        "sokha@aclb,Bopha,1,KHR,10m,i",
    )
    finished = encode(tmp_path)
    assert finished.returncode == 1, finished.stderr
    codes, errors = (table(tmp_path / "codes" / name) for name in ("codes.csv", "errors.csv"))
    assert [KHQR.decode(one["payload"]).bill_number for one in codes] == ["a", "c", "g"]
    assert [int(one["row"]) for one in errors] == [3, 5, 6, 9, 10]
    where = [one["error"].partition(":")[0] for one in errors]
    assert where == ["line 3", "lines 5 to 6", "lines 5 to 6", "lines 9 to 10", "lines 9 to 10"]
    assert [one["merchant_name"] for one in errors] == ['"So"kha', '"Sok', "Sok, ha", '"Sophea', "Bopha"]


def test_a_cell_too_large_to_be_read_costs_no_other_row(encode: Encode, tmp_path: Path) -> None:
    write(tmp_path, HEADER, f"sokha@aclb,{'x' * 140_000},1,KHR,10m,a", "sokha@aclb,Dara,1,KHR,10m,b")
    finished = encode(tmp_path)
    assert "row 2: line 2: field larger than field limit" in finished.stdout
    assert "1 codes made, 1 rows refused" in finished.stdout
    assert "x" * 140_000 in (tmp_path / "codes" / "errors.csv").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_ends_after_the_row_at_hand_and_loses_none(tmp_path: Path) -> None:
    write(tmp_path, HEADER, *(f"sokha@aclb,Sokha,1,KHR,10m,bill {number}" for number in range(3_000)))
    command = [sys.executable, "-m", "bakong_khqr.cli", *ENCODE]
    codes, errors = tmp_path / "codes" / "codes.csv", tmp_path / "codes" / "errors.csv"
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while not codes.exists() or codes.read_bytes().count(b"\n") < 3:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
    assert process.returncode == 130
    made, refused = table(codes), table(errors)
    assert made
    assert len(refused) > 100
    assert {(one["code"], one["error"]) for one in refused} == {("", "not processed: interrupted")}
    assert sorted(int(one["row"]) for one in made + refused) == list(range(2, 3_002))
    assert len(said.splitlines()) == 2, "thousands of rows aren't listed"


@pytest.mark.parametrize(
    ("lines", "encoding", "newline"),
    [
        (("bakong-account-id;Merchant Name", "sokha@aclb;Sokha"), "utf-8-sig", "\r\n"),
        (("bakong_account_id\tmerchant_name", "sokha@aclb\tSokha"), "utf-8", "\n"),
    ],
)
def test_what_spreadsheets_write_is_read(
    encode: Encode, tmp_path: Path, lines: tuple[str, ...], encoding: str, newline: str
) -> None:
    write(tmp_path, *lines, encoding=encoding, newline=newline)
    assert encode(tmp_path).returncode == 0
    assert table(tmp_path / "codes" / "codes.csv")[0]["file"] == "00002-Sokha.png"


def test_options_fill_empty_cells_and_choose_the_picture(encode: Encode, tmp_path: Path) -> None:
    write(tmp_path, "merchant_name,amount", "Sokha,", "Dara,20000")
    options = ("--bakong-account-id", "sokha@aclb", "--amount", "100", "--expires-in", "1d", "--json")
    finished = encode(tmp_path, *options, "--picture", "svg")
    assert json.loads(finished.stdout) == {"made": 2, "refused": 0, "errors": []}
    codes = table(tmp_path / "codes" / "codes.csv")
    assert [str(KHQR.decode(one["payload"]).amount) for one in codes] == ["100", "20000"]
    assert (tmp_path / "codes" / "00002-Sokha.svg").read_text(encoding="utf-8").startswith("<svg")


def test_codes_in_use_are_never_overwritten(encode: Encode, tmp_path: Path) -> None:
    write(tmp_path, HEADER, "sokha@aclb,Sokha,1,KHR,10m,x")
    assert encode(tmp_path, "--picture", "card").returncode == 0
    before = (tmp_path / "codes" / "codes.csv").read_bytes()
    finished = encode(tmp_path)
    assert finished.returncode == 2
    assert "already has a codes.csv" in finished.stderr
    assert (tmp_path / "codes" / "codes.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty; its first line names the columns"),
        (b"name,amount\nSokha,1\n", "no column 'name'; there are bakong_account_id"),
        (b"amount,amount\n1,1\n", "a column comes twice"),
        ("merchant_name\nហាង\n".encode("utf-16"), "isn't UTF-8"),
        (b'"merchant_name\nSokha\n', "lines 1 to 2: unexpected end of data; is a quote not closed"),
    ],
)
def test_a_file_that_cannot_be_read_makes_nothing(encode: Encode, tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    finished = encode(tmp_path)
    assert finished.returncode == 2
    assert told in finished.stderr
    assert not (tmp_path / "codes").exists()
