"""Many codes at once: a CSV file with a row for each, to a folder with a picture for each. No row is lost.

Every row ends either in the folder's `codes.csv` or, with the reason, in its `errors.csv`, which can be mended and
given back.
"""

import csv
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import IO, Any, Literal

import attrs
from attrs import frozen
from rich.console import Console
from rich.progress import track

from bakong_khqr.cli.field_texts import FieldTexts
from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.khqr import KHQR

PictureFormat = Literal["png", "svg", "card"]

COLUMNS = tuple(field.name for field in attrs.fields(FieldTexts))
_REPORT = ("row", "code", "field", "error")
_NOT_PROCESSED = "not processed: interrupted"
_NOT_IN_A_NAME = re.compile("[^A-Za-z0-9]+")


@frozen
class Refusal:
    """A row that no code was made from; `row` counts as a spreadsheet does, the header being 1."""

    row: int
    code: int | None
    field: str | None
    error: str


@frozen
class Summary:
    """What became of a file's rows."""

    made: int
    refusals: tuple[Refusal, ...]
    interrupted: bool


@frozen
class _Row:
    number: int
    cells: list[str]
    fault: str | None = None
    """Why it can't be read."""


def encode_rows(source: Path, out: Path, defaults: FieldTexts, picture: PictureFormat) -> Summary:
    """Make a code of every row of `source` in the folder `out`; `defaults` fill the cells that are empty or missing.

    Ctrl-C ends it after the row at hand; those that are left are refused as not processed.

    Raises `ValueError` before any code is made: for a file that isn't UTF-8, an unknown or repeated column, or a
    folder that already has codes. `OSError` as files do.
    """
    header, rows = _read(source)
    out.mkdir(parents=True, exist_ok=True)
    for name in ("codes.csv", "errors.csv"):
        if (out / name).exists():
            raise ValueError(f"{out} already has a {name}: name another folder, codes in use must not be lost")
    refusals = []
    with (
        _table(out / "codes.csv") as codes_file,
        _table(out / "errors.csv") as errors_file,
        _interruption() as interruption,
    ):
        codes, errors = csv.writer(codes_file), csv.writer(errors_file)
        codes.writerow(("row", "file", "md5", "payload"))
        mendable = [index for index, name in enumerate(header) if name in COLUMNS]  # not the report of an earlier run
        errors.writerow((*_REPORT, *(header[index] for index in mendable)))
        for row in track(rows, description="Encoding", console=Console(stderr=True)):
            fault = row.fault or (_NOT_PROCESSED if interruption else None)
            try:
                khqr = _khqr(header, row.cells, fault, defaults)
                name = _file_name(row.number, khqr, picture)
                _draw(khqr, out / name, picture)
            except (ValueError, OSError) as error:
                refusal = _refusal(row.number, error)
                refusals.append(refusal)
                errors.writerow((*attrs.astuple(refusal), *_kept(row.cells, mendable, len(header))))
                errors_file.flush()
            else:
                codes.writerow((row.number, name, khqr.md5, khqr.payload))
                codes_file.flush()
    return Summary(len(rows) - len(refusals), tuple(refusals), bool(interruption))


@contextmanager
def _interruption() -> Iterator[list[int]]:
    """Hold Ctrl-C back, so that it cuts no row in two: the list is empty until it comes. In the main thread only."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def _read(source: Path) -> tuple[list[str], list[_Row]]:
    """Return the columns and the rows that aren't empty."""
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{source} isn't UTF-8 (byte {error.start}): save it as CSV UTF-8") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)  # semicolons where the comma is the decimal point
    header, *rows = [_Row(number, *row) for number, row in enumerate(_rows(text, delimiter), start=1)] or [_Row(1, [])]
    if header.fault:
        raise ValueError(f"{source}: {header.fault}")
    names = [name.strip().lower().replace("-", "_").replace(" ", "_") for name in header.cells]
    if not names:
        raise ValueError(f"{source}: it is empty; its first line names the columns: {', '.join(COLUMNS)}")
    unknown = [name for name in names if name not in COLUMNS and name not in _REPORT]
    if unknown:
        raise ValueError(f"{source}: no column {', '.join(map(repr, unknown))}; there are {', '.join(COLUMNS)}")
    if len(set(names)) < len(names):
        raise ValueError(f"{source}: a column comes twice")
    return names, [row for row in rows if any(row.cells)]


def _rows(text: str, delimiter: str) -> Iterator[tuple[list[str], str | None]]:
    """Yield every row's cells and why they can't be read. Where quotes are wrong, every line they took in is a row."""
    lines = StringIO(text).readlines()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while (first := reader.line_num) < len(lines):
        try:
            yield next(reader), None
        except csv.Error as error:
            last = reader.line_num
            where = f"line {last}" if last == first + 1 else f"lines {first + 1} to {last}"
            fault = f"{where}: {error}; is a quote not closed, or one within a cell not doubled?"
            yield from ((_cells(line, delimiter), fault) for line in lines[first:last])


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line taken by itself, quotes and all where they are wrong."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return line.rstrip("\n").split(delimiter)


def _khqr(header: list[str], cells: list[str], fault: str | None, defaults: FieldTexts) -> KHQR:
    if fault is not None:
        raise ValueError(fault)
    if len(cells) > len(header):
        raise ValueError(f"the row has {len(cells)} cells and the header {len(header)}; is a comma not in quotes?")
    given = {name: cell for name, cell in zip(header, cells, strict=False) if cell and name in COLUMNS}
    return attrs.evolve(defaults, **given).khqr()


def _kept(cells: list[str], mendable: list[int], width: int) -> list[str]:
    """Return the cells of the columns that are given back, and whatever stood beyond the last column."""
    return [cells[index] if index < len(cells) else "" for index in mendable] + cells[width:]


def _file_name(row: int, khqr: KHQR, picture: PictureFormat) -> str:
    words = _NOT_IN_A_NAME.sub("-", khqr.bill_number or khqr.store_label or khqr.merchant_name).strip("-")
    return f"{row:05}-{words}.{'svg' if picture == 'svg' else 'png'}" if words else f"{row:05}.png"


def _draw(khqr: KHQR, path: Path, picture: PictureFormat) -> None:
    if picture == "card":
        khqr.to_card(path)
    elif picture == "svg":
        khqr.to_svg(path)
    else:
        khqr.to_png(path)


def _refusal(row: int, error: Exception) -> Refusal:
    if isinstance(error, InvalidKHQR):
        return Refusal(row, int(error.code), error.field, str(error))
    return Refusal(row, None, None, str(error))


def _table(path: Path) -> IO[str]:
    return path.open("x", encoding="utf-8-sig", newline="")  # with the mark, spreadsheets read Khmer


def summary_dict(summary: Summary) -> dict[str, Any]:
    """Return a summary as JSON can hold it."""
    return {"made": summary.made, "refused": len(summary.refusals), "errors": list(map(attrs.asdict, summary.refusals))}


def summary_lines(summary: Summary, out: Path) -> Iterator[str]:
    """Yield a summary as a person reads it."""
    for refusal in summary.refusals:
        if refusal.error != _NOT_PROCESSED:  # those may be thousands
            yield f"row {refusal.row}: {refusal.error}"
    if summary.interrupted:
        yield "interrupted: the rows that weren't processed are among those refused"
    yield f"{summary.made} codes made, {len(summary.refusals)} rows refused; see codes.csv and errors.csv in {out}"
