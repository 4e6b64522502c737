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
    (tmp_path / "rows.csv").write_text(report.replace('"1.5"', '"15"'), encoding="utf-8")
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
    assert json.loads(finished.stdout) == {"made": 2, "refused": 0, "errors": [], "ignored": []}
    codes = table(tmp_path / "codes" / "codes.csv")
    assert [str(KHQR.decode(one["payload"]).amount) for one in codes] == ["100", "20000"]
    assert (tmp_path / "codes" / "00002-Sokha.svg").read_text(encoding="utf-8").startswith("<svg")


def test_codes_in_use_are_never_overwritten(encode: Encode, tmp_path: Path) -> None:
    write(tmp_path, HEADER, "sokha@aclb,Sokha,1,KHR,10m,x")
    assert encode(tmp_path, "--picture", "card").returncode == 0
    before = (tmp_path / "codes" / "codes.csv").read_bytes()
    finished = encode(tmp_path)
    assert finished.returncode == 2
    assert "has a codes.csv already" in finished.stderr
    assert (tmp_path / "codes" / "codes.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty; its first line has the names of the columns"),
        (b"name,amount\nSokha,1\n", "unknown columns name; the columns are bakong_account_id"),
        (b"amount,note,branch\n1,a,b\n", "unknown columns note, branch; the columns are"),
        (b"amount,note,branch\n1,a,b\n", "With --ignore, other columns are only copied"),
        (b"sokha@aclb,Sokha\n", "its first line has no field; the fields are bakong_account_id"),
        (b"amount,md5\n1,x\n", "the results have their own column md5"),
        (b"\n \n,,\n", "it is empty; its first line has the names of the columns"),
        (b"amount,amount\n1,1\n", "a column is there twice"),
        ("merchant_name\nហាង\n".encode("utf-16"), "isn't UTF-8"),
        (b'"merchant_name\nSokha\n', "lines 1 to 2: unexpected end of data; maybe a quote isn't closed"),
    ],
)
def test_a_file_that_cannot_be_read_makes_nothing(encode: Encode, tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    finished = encode(tmp_path)
    assert finished.returncode == 2
    assert told in finished.stderr
    assert not (tmp_path / "codes").exists()


def test_columns_come_in_any_order_and_the_results_have_every_column(encode: Encode, tmp_path: Path) -> None:
    write(
        tmp_path,
        "Note,bill number,merchant_name,Branch,bakong_account_id,amount,expires_in",
        "paid late,INV-1,Sokha,A,sokha@aclb,100,1h",
        "new,INV-2,Dara,B,dara,100,1h",
    )
    finished = encode(tmp_path, "--ignore")
    assert finished.returncode == 1
    assert finished.stdout.count("note, branch") == 1
    ((code,), (error,)) = (table(tmp_path / "codes" / name) for name in ("codes.csv", "errors.csv"))
    given_columns = ["note", "bill_number", "merchant_name", "branch", "bakong_account_id", "amount", "expires_in"]
    assert list(code) == ["row", "file", "md5", "payload", *given_columns]
    assert list(error) == ["row", "code", "field", "error", *given_columns]
    assert [code[one] for one in given_columns] == ["paid late", "INV-1", "Sokha", "A", "sokha@aclb", "100", "1h"]
    assert (error["note"], error["field"], error["bakong_account_id"]) == ("new", "bakong_account_id", "dara")
    (tmp_path / "codes").rename(tmp_path / "first")
    report = (tmp_path / "first" / "errors.csv").read_text(encoding="utf-8-sig")
    (tmp_path / "rows.csv").write_text(report.replace('"dara"', '"dara@aclb"'), encoding="utf-8")
    assert encode(tmp_path, "--ignore").returncode == 0
    (code,) = table(tmp_path / "codes" / "codes.csv")
    assert [code[one] for one in given_columns] == ["new", "INV-2", "Dara", "B", "dara@aclb", "100", "1h"]


def test_ignored_columns_are_told_to_programs(encode: Encode, tmp_path: Path) -> None:
    write(tmp_path, "note,bakong_account_id,merchant_name", "x,sokha@aclb,Sokha")
    assert json.loads(encode(tmp_path, "--ignore", "--json").stdout)["ignored"] == ["note"]


@pytest.mark.parametrize(
    "lines",
    [
        ("sep=;", "bakong_account_id;merchant_name", "sokha@aclb;Sokha"),
        ("sep=|", "bakong_account_id|merchant_name", "sokha@aclb|Sokha"),
        ("bakong_account_id,merchant_name,", "sokha@aclb,Sokha,"),
        ("bakong_account_id;merchant_name;;", "sokha@aclb;Sokha;;"),
    ],
)
def test_what_excel_adds_to_a_file_is_taken(encode: Encode, tmp_path: Path, lines: tuple[str, ...]) -> None:
    write(tmp_path, *lines, newline="\r\n")
    assert encode(tmp_path).returncode == 0
    assert [one["row"] for one in table(tmp_path / "codes" / "codes.csv")] == ["2"]


def test_empty_lines_are_passed_over_and_counted(encode: Encode, tmp_path: Path) -> None:
    write(tmp_path, "", " ", "bakong_account_id,merchant_name", "", "sokha@aclb,Sokha", " , ", "dara@aclb,Dara", "")
    assert encode(tmp_path).returncode == 0
    assert [one["row"] for one in table(tmp_path / "codes" / "codes.csv")] == ["5", "7"]


def test_a_cell_in_a_column_without_a_name_is_not_lost(encode: Encode, tmp_path: Path) -> None:
    write(tmp_path, "bakong_account_id,merchant_name,", "sokha@aclb,Sokha,Siem Reap")
    assert encode(tmp_path).returncode == 1
    report = (tmp_path / "codes" / "errors.csv").read_text(encoding="utf-8-sig")
    assert "the row has 3 cells and the header 2" in report
    assert "Siem Reap" in report


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("mobile_number", "8.55E+11", "mobile_number '8.55E+11' is a long number that the spreadsheet shortened"),
        ("bill_number", "2E+15", "bill_number '2E+15' is a long number"),
        ("amount", "1,5E+06", "amount '1,5E+06' is a long number"),
        ("amount", "0", "amount '0' is nothing to pay"),
        ("amount", "0.00", "amount '0.00' is nothing to pay"),
        ("bakong_account_id", " sokha@aclb", "bakong_account_id ' sokha@aclb' has spaces around it"),
        ("bakong_account_id", "sokha@aclb\u00a0", r"bakong_account_id 'sokha@aclb\xa0' has spaces around it"),
        ("merchant_name", "Sokha ", "merchant_name 'Sokha ' has spaces around it"),
        ("bakong_account_id", "sok ha@aclb", "bakong_account_id 'sok ha@aclb' has U+0020 SPACE at offset 3"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_refused_by_its_columns_name(
    encode: Encode, tmp_path: Path, column: str, cell: str, told: str
) -> None:
    good = {"bakong_account_id": "sokha@aclb", "merchant_name": "Sokha", "expires_in": "10m"}
    row = good | {column: f'"{cell}"'}
    write(tmp_path, ",".join(row), ",".join(row.values()))
    assert encode(tmp_path).returncode == 1
    (error,) = table(tmp_path / "codes" / "errors.csv")
    assert error["field"] == column
    assert told in error["error"]
    assert error[column] == cell


@pytest.mark.parametrize("label", ["12E45", "5E10", "E+11", "1.5"])
def test_a_label_that_only_looks_a_little_like_a_shortened_number_is_kept(
    encode: Encode, tmp_path: Path, label: str
) -> None:
    write(tmp_path, "bakong_account_id,merchant_name,terminal_label", f"sokha@aclb,Sokha,{label}")
    assert encode(tmp_path).returncode == 0


@pytest.mark.parametrize("option", [(), ("--language-preference", "km")])
def test_rows_with_and_without_a_khmer_name_stand_in_one_file(
    encode: Encode, tmp_path: Path, option: tuple[str, ...]
) -> None:
    language = () if option else ("language_preference",)
    cell = () if option else ("km",)
    write(
        tmp_path,
        ",".join(("bakong_account_id", "merchant_name", "merchant_name_alternate_language", *language)),
        ",".join(("sokha@aclb", "Sokha", "សុខា", *cell)),
        ",".join(("dara@aclb", "Dara", "", *cell)),
    )
    assert encode(tmp_path, *option).returncode == 0
    codes = [KHQR.decode(one["payload"]) for one in table(tmp_path / "codes" / "codes.csv")]
    assert [one.merchant_name_alternate_language for one in codes] == ["សុខា", None]
    assert [one.language_preference for one in codes] == ["km", None]


def test_no_cell_of_the_results_is_a_formula_and_each_comes_back_as_it_was(encode: Encode, tmp_path: Path) -> None:
    dangers = ["=1+1", "+85512345678", "-1", "@SUM(A1)", "'=1", "\t=1", "a;=1", "＝1"]
    write(tmp_path, '"=note",bakong_account_id,merchant_name', *(f'"{one}",sokha,"{one}"' for one in dangers))
    assert encode(tmp_path, "--ignore").returncode == 1
    raw = (tmp_path / "codes" / "errors.csv").read_text(encoding="utf-8-sig")
    assert '"\'=note"' in raw
    for line in raw.splitlines():
        assert line.startswith('"')
        assert line.endswith('"')
    first = table(tmp_path / "codes" / "errors.csv")
    assert all(one["merchant_name"][0] not in "=+-@\t\r＝" for one in first)
    (tmp_path / "rows.csv").write_text(raw.replace('"sokha"', '"sokha@aclb"'), encoding="utf-8")
    (tmp_path / "codes").rename(tmp_path / "first")
    encode(tmp_path, "--ignore")
    made = [KHQR.decode(one["payload"]).merchant_name for one in table(tmp_path / "codes" / "codes.csv")]
    assert made == ["=1+1", "+85512345678", "-1", "@SUM(A1)", "=1", "a;=1", "＝1"]
