"""Reads and writes CSV files of spreadsheets: rows by the names of their columns, and no cell that is a formula."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from attrs import frozen

_SEPARATOR_LINE = re.compile("sep=(.)", re.IGNORECASE)  # a first line that Excel writes

# A spreadsheet runs a cell that begins with one of these characters as a formula. An apostrophe before makes it text.
# Cells that begin with apostrophes get one more, so that reading a written file gives the same cells.
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


@frozen
class Row:
    """A row with its number in a spreadsheet, where the header is row 1, and its cells by column.

    `beyond` has the cells after the last column; `fault` says why the row can't be used.
    """

    number: int
    cells: dict[str, str]
    beyond: tuple[str, ...] = ()
    fault: str | None = None


@frozen
class Sheet:
    """The columns of a file, with the names of fields, and its rows without empty ones."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_sheet(source: Path) -> Sheet:
    """Read a CSV file with commas, semicolons or tabs. Its first line that isn't empty has the names of the columns.

    A column without a name is ignored, because a comma at the end of each line makes one. Raises `ValueError` for a
    file that isn't UTF-8, has no columns or has a column twice, and `OSError` as files do. A row that can't be read has
    a `fault`.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{source} isn't UTF-8 (byte {error.start}): save it as CSV UTF-8") from None
    delimiter, lines = _delimiter(StringIO(text).readlines())
    found = [one for one in _numbered(lines, delimiter) if one[2] or any(map(str.strip, one[1]))]
    if not found:
        raise ValueError(f"{source}: it is empty; its first line has the names of the columns")
    (_, names, fault), *rows = found
    if fault:
        raise ValueError(f"{source}: {fault}")
    names = [_readable(name).strip().lower().replace("-", "_").replace(" ", "_") for name in names]
    columns = tuple(filter(None, names))
    if twice := [name for name in dict.fromkeys(columns) if columns.count(name) > 1]:
        raise ValueError(f"{source}: a column is there twice: {', '.join(twice)}")
    return Sheet(columns, tuple(_row(names, *one) for one in rows))


def _delimiter(lines: list[str]) -> tuple[str, list[str]]:
    """Return the separator of cells, and the lines without `sep=;`, which spreadsheets don't show as a row."""
    if lines and (said := _SEPARATOR_LINE.fullmatch(lines[0].rstrip("\n"))):
        return said[1], lines[1:]
    header = next((line for line in lines if line.strip()), "")
    return max(",;\t", key=header.count), lines  # if the comma is the decimal point, spreadsheets use semicolons


def _numbered(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str], str | None]]:
    """Yield the number, the cells and the fault of every row. If the quotes are wrong, each line is a row."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = 0
    while (first := reader.line_num) < len(lines):
        try:
            cells = next(reader)
        except csv.Error as error:
            last = reader.line_num
            where = f"line {last}" if last == first + 1 else f"lines {first + 1} to {last}"
            fault = f"{where}: {error}; maybe a quote isn't closed, or isn't doubled in a cell"
            for line in lines[first:last]:
                number += 1
                yield number, _cells(line, delimiter), fault
        else:
            number += 1
            yield number, cells, None


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line. If its quotes are wrong, they stay in the cells."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return line.rstrip("\n").split(delimiter)


def _row(names: list[str], number: int, texts: list[str], fault: str | None) -> Row:
    texts = [_readable(text) for text in texts]
    cells = {name: text for name, text in zip(names, texts, strict=False) if name}
    unnamed = [text for name, text in zip(names, texts, strict=False) if not name]
    beyond = (*unnamed, *texts[len(names) :])
    if fault is None and any(beyond):
        fault = f"the row has {len(texts)} cells and the header {len([*filter(None, names)])}: quote commas in cells"
    return Row(number, cells, beyond if any(beyond) else (), fault)


@contextmanager
def new_table(path: Path, header: Iterable[str]) -> Iterator[Callable[[Iterable[object]], None]]:
    """Begin a new file, and give the function that writes a row of it to the disk at once.

    Every cell is in quotes, because some spreadsheets also split at semicolons, and the rest could be a formula.
    """
    with path.open("x", encoding="utf-8-sig", newline="") as file:  # with the byte order mark, spreadsheets read Khmer
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)

        def write(cells: Iterable[object]) -> None:
            writer.writerow(["" if one is None else harmless(str(one)) for one in cells])
            file.flush()

        write(header)
        yield write


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _readable(cell: str) -> str:
    """Return a cell without the apostrophe that marks it as text."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
