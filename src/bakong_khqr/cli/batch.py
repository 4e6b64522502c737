"""Makes many codes: from a CSV file with a row for each code, into a folder with a picture for each code.

No row is lost. Every row is written either to `codes.csv` in the folder or, with the reason, to `errors.csv`, which the
user can correct and give again. Both have every column of the source. `spreadsheet.py` reads and writes the files.
"""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from bakong_khqr.cli.field_texts import FieldTexts
from bakong_khqr.cli.picture import RowPicture
from bakong_khqr.cli.spreadsheet import Row, Sheet, new_table, read_sheet
from bakong_khqr.errors import InvalidKHQR, shown
from bakong_khqr.khqr import KHQR

COLUMNS = tuple(field.name for field in attrs.fields(FieldTexts))
_MADE = ("row", "file", "md5", "payload")
_REPORT = ("row", "code", "field", "error")
_NOT_PROCESSED = "not processed: interrupted"
_NOT_IN_A_NAME = re.compile("[^A-Za-z0-9]+")
_SHORTENED = re.compile("[0-9]([.,][0-9]+)?E[+][0-9]{2,3}")  # 8.55E+11, as Excel writes it


@frozen
class Refusal:
    """A row without a code. `row` is the number in a spreadsheet, where the header is row 1."""

    row: int
    code: int | None
    field: str | None
    error: str


@frozen
class Summary:
    """The result for the rows of a file."""

    made: int
    refusals: tuple[Refusal, ...]
    interrupted: bool
    ignored: tuple[str, ...] = ()
    """Columns that aren't fields."""


class CellError(ValueError):
    """A wrong cell. `field` is its column."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field


def encode_rows(source: Path, out: Path, defaults: FieldTexts, picture: RowPicture, *, ignore: bool = False) -> Summary:
    """Make a code for every row of `source` in the folder `out`. `defaults` fill empty and missing cells.

    With `ignore`, columns that aren't fields are only copied to the results. After Ctrl-C, the current row is finished,
    and the other rows are refused as not processed.

    Before any code is made, raises `ValueError` for a file that isn't UTF-8, an unknown or repeated column, or a folder
    that already has codes, and `OSError` as files do.
    """
    from rich.console import Console  # loading the progress bar takes long
    from rich.progress import track

    sheet = read_sheet(source)
    kept = _kept_columns(source, sheet)
    ignored = tuple(name for name in kept if name not in COLUMNS)
    if ignored and not ignore:
        raise ValueError(
            f"{source}: unknown columns {', '.join(ignored)}; the columns are {', '.join(COLUMNS)}. "
            "With --ignore, other columns are only copied to the results"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in ("codes.csv", "errors.csv"):
        if (out / name).exists():
            raise ValueError(f"{out} has a {name} already: name another folder, so that no codes are lost")
    refusals = []
    with (
        new_table(out / "codes.csv", (*_MADE, *kept)) as write_code,
        new_table(out / "errors.csv", (*_REPORT, *kept)) as write_error,
        _interruption() as interruption,
    ):
        for row in track(sheet.rows, description="Encoding", console=Console(stderr=True)):
            cells = [row.cells.get(one, "") for one in kept]
            try:
                khqr = _khqr(row, row.fault or (_NOT_PROCESSED if interruption else None), defaults)
                name = _file_name(row.number, khqr, picture)
                _draw(khqr, out / name, picture)
            except (ValueError, OSError) as error:
                refusal = _refusal(row.number, error)
                refusals.append(refusal)
                write_error((*attrs.astuple(refusal), *cells, *row.beyond))
            else:
                write_code((row.number, name, khqr.md5, khqr.payload, *cells))
    return Summary(len(sheet.rows) - len(refusals), tuple(refusals), bool(interruption), ignored)


def _kept_columns(source: Path, sheet: Sheet) -> tuple[str, ...]:
    """Return the columns that are copied to the results: all but those of the report, if this is an `errors.csv`."""
    columns = sheet.columns
    if columns[: len(_REPORT)] == _REPORT:
        columns = columns[len(_REPORT) :]
    if own := [name for name in columns if name in _MADE + _REPORT]:
        raise ValueError(f"{source}: the results have their own column {', '.join(own)}: give yours another name")
    if not any(name in COLUMNS for name in columns):
        raise ValueError(f"{source}: its first line has no field; the fields are {', '.join(COLUMNS)}")
    return columns


@contextmanager
def _interruption() -> Iterator[list[int]]:
    """Delay Ctrl-C, so that it interrupts no row. The list is empty until it comes. This needs the main thread."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def _khqr(row: Row, fault: str | None, defaults: FieldTexts) -> KHQR:
    if fault is not None:
        raise ValueError(fault)
    given = {name: cell for name, cell in row.cells.items() if cell and name in COLUMNS}
    for name, cell in given.items():
        _check_cell(name, cell)
    texts = attrs.evolve(defaults, **given)
    if texts.merchant_name_alternate_language is None and texts.merchant_city_alternate_language is None:
        texts = attrs.evolve(texts, language_preference=None)  # a file may have rows with and without a second name
    khqr = texts.khqr()
    if texts.amount is not None and khqr.amount is None:
        raise CellError(
            "amount", f"{shown(texts.amount)} is nothing to pay: leave it empty if the payer enters the amount"
        )
    return khqr


def _check_cell(name: str, cell: str) -> None:
    if cell != cell.strip():
        raise CellError(name, f"{cell!a} has spaces around it: remove them")
    if _SHORTENED.fullmatch(cell):
        raise CellError(
            name,
            f"{shown(cell)} is a long number that the spreadsheet shortened, and its last digits may be lost: format "
            "the column as text and type the number again",
        )


def _file_name(row: int, khqr: KHQR, picture: RowPicture) -> str:
    words = _NOT_IN_A_NAME.sub("-", khqr.bill_number or khqr.store_label or khqr.merchant_name).strip("-")
    return f"{row:05}-{words}.{'svg' if picture == 'svg' else 'png'}" if words else f"{row:05}.png"


def _draw(khqr: KHQR, path: Path, picture: RowPicture) -> None:
    if picture == "card":
        khqr.to_card(path)
    elif picture == "svg":
        khqr.to_svg(path)
    else:
        khqr.to_png(path)


def _refusal(row: int, error: Exception) -> Refusal:
    if isinstance(error, InvalidKHQR):
        return Refusal(row, int(error.code), error.field, str(error))
    if isinstance(error, CellError):
        return Refusal(row, None, error.field, str(error))
    return Refusal(row, None, None, str(error))


def summary_dict(summary: Summary) -> dict[str, Any]:
    """Return a summary for JSON."""
    return {
        "made": summary.made,
        "refused": len(summary.refusals),
        "errors": list(map(attrs.asdict, summary.refusals)),
        "ignored": list(summary.ignored),
    }


def summary_lines(summary: Summary, out: Path) -> Iterator[str]:
    """Yield a summary in lines for a person."""
    if summary.ignored:
        yield f"ignored columns, which are only copied to the results: {', '.join(summary.ignored)}"
    for refusal in summary.refusals:
        if refusal.error != _NOT_PROCESSED:  # there may be thousands of them
            yield f"row {refusal.row}: {refusal.error}"
    if summary.interrupted:
        yield "interrupted: the rows that weren't processed are counted as refused"
    yield f"{summary.made} codes made, {len(summary.refusals)} rows refused; see codes.csv and errors.csv in {out}"
