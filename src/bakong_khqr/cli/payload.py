"""`khqr encode`, `decode`, `verify` and `inspect`: payloads made, read, checked and explained.

Exit codes of all four: 0 when all is well, 1 when a payload or a field is wrong, 2 for options and files that can't
be used.
"""

import json as json_module
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Parameter

from bakong_khqr import diagnosis
from bakong_khqr.cli.batch import PictureFormat, encode_rows, summary_dict, summary_lines
from bakong_khqr.cli.field_texts import FieldTexts
from bakong_khqr.cli.payload_text import Payload, payload_text
from bakong_khqr.cli.refusing import INTERRUPTED, WRONG, refused, unusable
from bakong_khqr.diagnosis import printable, problem_dict
from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.khqr import KHQR


def encode(
    fields: Annotated[FieldTexts, Parameter(name="*")] = FieldTexts(),  # noqa: B008 - frozen
    *,
    csv: Path | None = None,
    out: Path | None = None,
    picture: PictureFormat = "png",
    json: bool = False,
) -> int:
    """Make a payment code from its fields, or a folder of them from a CSV file.

    Prints the payload alone, so that it can be piped: `khqr encode ... | khqr image`.

    With `--csv`, each row makes a picture in the folder `--out`. The columns are the options' names
    (`bakong_account_id,merchant_name,amount,...`); options fill cells that are empty. `codes.csv` there lists every
    code with its payload and MD5, `errors.csv` every row that was refused, with the reason: mend it and give it back.

    Exit code 0 when all codes were made, 1 when a field or a row was refused, 2 for options or files that can't be
    used, 130 for Ctrl-C: the rows that weren't processed are in `errors.csv` too.

    Parameters
    ----------
    csv
        A file in UTF-8 with a row for each code.
    out
        The folder for the codes of `--csv`; it is made where it isn't there.
    picture
        What `--csv` draws of each row: the symbol as `png` or `svg`, or the `card`.
    json
        Print one JSON object.
    """
    if csv is not None and out is None:
        return unusable("encode", "--csv needs --out, the folder for the codes")
    if csv is None and out is not None:
        return unusable("encode", "--out goes with --csv; draw a single code with khqr image or khqr card")
    try:
        if csv is not None and out is not None:
            summary = encode_rows(csv, out, fields, picture)
            _print([json_module.dumps(summary_dict(summary))] if json else summary_lines(summary, out))
            return INTERRUPTED if summary.interrupted else WRONG if summary.refusals else 0
        khqr = fields.khqr()
    except InvalidKHQR as error:
        return refused("encode", error, json=json)
    except (ValueError, OSError) as error:
        return unusable("encode", error)
    _print([json_module.dumps(_khqr_dict(khqr))] if json else [khqr.payload])
    return 0


def decode(payload: Payload = "-", /, *, json: bool = False) -> int:
    """Read a payload and print its fields.

    Exit code 0 when it was read, 1 when it is wrong, 2 for options that can't be used. An expiry that is missing or
    past is not looked at: see `khqr verify`.

    Parameters
    ----------
    payload
        The text of the code; `-`, or nothing, reads it from standard input.
    json
        Print one JSON object.
    """
    try:
        khqr = KHQR.decode(payload_text(payload))
    except InvalidKHQR as error:
        return refused("decode", error, json=json)
    fields = _khqr_dict(khqr)
    _print([json_module.dumps(fields)] if json else (f"{name:<33} {printable(str(fields[name]))}" for name in fields))
    return 0


def verify(payload: Payload = "-", /, *, now: datetime | None = None, json: bool = False) -> int:
    """Check a payload by every rule and print all that is wrong.

    Exit code 0 when it is valid, 1 when it isn't, 2 for options that can't be used.

    Parameters
    ----------
    payload
        The text of the code; `-`, or nothing, reads it from standard input.
    now
        The time that expiry is judged by, with its time zone: 2026-01-31T17:00:00+07:00. The present unless given.
    json
        Print one JSON object: `valid` and `problems`.
    """
    try:
        verification = diagnosis.verify(payload_text(payload), now)
    except ValueError as error:
        return unusable("verify", error)
    if json:
        problems = [problem_dict(problem) for problem in verification.problems]
        _print([json_module.dumps({"valid": verification.is_valid, "problems": problems})])
    else:
        _print([f"wrong: {problem}" for problem in verification.problems] or ["valid"])
    return 0 if verification else WRONG


def inspect(payload: Payload = "-", /, *, now: datetime | None = None, json: bool = False) -> int:
    """Explain a payload: every data object and what it means, every problem, whose rule it breaks and what to change.

    Exit code 0 when it is valid, 1 when it isn't, 2 for options that can't be used.

    Parameters
    ----------
    payload
        The text of the code; `-`, or nothing, reads it from standard input.
    now
        The time that expiry is judged by, with its time zone: 2026-01-31T17:00:00+07:00. The present unless given.
    json
        Print one JSON object: `valid`, `problems`, `notices` and `data_objects`.
    """
    try:
        inspection = diagnosis.inspect(payload_text(payload), now)
    except ValueError as error:
        return unusable("inspect", error)
    _print([json_module.dumps(inspection.to_dict())] if json else [str(inspection)])
    return 0 if inspection.is_valid else WRONG


def _khqr_dict(khqr: KHQR) -> dict[str, Any]:
    """Return a code as JSON can hold it, without its absent fields: amounts as text, times in ISO 8601."""
    fields: dict[str, Any] = {"md5": khqr.md5}
    for name, value in attrs.asdict(khqr).items():
        if value is not None:
            fields[name] = value.isoformat() if isinstance(value, datetime) else value
    if khqr.amount is not None:
        fields["amount"] = f"{khqr.amount:f}"
    return fields


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
