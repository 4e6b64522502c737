"""`khqr encode`, `decode`, `verify` and `inspect`: they make, read, check and explain payloads.

Their exit codes are 0 if all is right, 1 if a payload or a field is wrong, and 2 for wrong options and files. Each
command imports what it needs when it is called, because imports take half the time of a short command.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bakong_khqr.cli.field_texts import FieldTexts, as_options
from bakong_khqr.cli.payload_text import Payload, payload_text
from bakong_khqr.cli.picture import RowPicture
from bakong_khqr.cli.refusing import INTERRUPTED, WRONG, refused, unusable
from bakong_khqr.cli.writing import say, say_json
from bakong_khqr.emv.characters import printable
from bakong_khqr.errors import InvalidKHQR
from bakong_khqr.khqr import KHQR

Now = Annotated[
    datetime | None,
    Parameter(help="The time for the check of the expiry: 2026-01-31T17:00:00+07:00. By default it is the present."),
]


def encode(
    fields: Annotated[FieldTexts, Parameter(name="*")] = FieldTexts(),  # noqa: B008 - frozen
    *,
    csv: Path | None = None,
    out: Path | None = None,
    picture: RowPicture = "png",
    ignore: bool = False,
    json: bool = False,
) -> int:
    """Make a payment code from its fields, or a folder of them from a CSV file.

    Prints only the payload, so that you can pipe it: `khqr encode ... | khqr image`.

    With `--csv`, each row makes a picture in the folder `--out`. The columns are the names of the options
    (`bakong_account_id,merchant_name,amount,...`), in any order, and options fill empty cells. In the folder,
    `codes.csv` lists every code with its file, MD5 and payload, and `errors.csv` lists every refused row with the
    reason: correct this file and give it again. Both also have the columns of the source.

    Exit code 0: all codes were made. 1: a field or a row was refused. 2: wrong options or files. 130: Ctrl-C; the rows
    that weren't processed are in `errors.csv`.

    Parameters
    ----------
    csv
        A file in UTF-8 with a row for each code.
    out
        The folder for the codes of `--csv`; it is made if it doesn't exist.
    picture
        The picture of each row of `--csv`: the symbol as `png` or `svg`, or the `card`.
    ignore
        Allow columns of `--csv` that aren't fields. They are only copied to the results.
    json
        Print one JSON object.
    """
    if csv is not None and out is None:
        return unusable("encode", "--csv needs --out, the folder for the codes")
    if csv is None and out is not None:
        return unusable("encode", "--out goes with --csv; draw a single code with khqr image or khqr card")
    try:
        if csv is not None and out is not None:
            from bakong_khqr.cli.batch import encode_rows, summary_dict, summary_lines

            summary = encode_rows(csv, out, fields, picture, ignore=ignore)
            _print(summary_dict(summary) if json else summary_lines(summary, out))
            return INTERRUPTED if summary.interrupted else WRONG if summary.refusals else 0
        khqr = fields.khqr()
    except InvalidKHQR as error:
        return refused("encode", error, json=json, told=as_options(str(error)))
    except (ValueError, OSError) as error:
        return unusable("encode", error if csv is not None else as_options(str(error)))
    _print(khqr.to_dict() if json else [khqr.payload])
    return 0


def decode(payload: Payload = "-", /, *, json: bool = False) -> int:
    """Read a payload and print its fields.

    Exit code 0: it was read. 1: it is wrong. 2: wrong options. A missing or past expiry isn't checked here: use
    `khqr verify`.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    try:
        khqr = KHQR.decode(payload_text(payload))
    except InvalidKHQR as error:
        return refused("decode", error, json=json)
    fields = khqr.to_dict()
    lines = (f"{name:<33} {printable(value)}" for name, value in fields.items() if value is not None)
    _print(fields if json else lines)
    return 0


def verify(payload: Payload = "-", /, *, now: Now = None, json: bool = False) -> int:
    """Check a payload by every rule. Print every problem, and what happened to the text if that is known.

    Exit code 0: it is valid. 1: it isn't valid. 2: wrong options.

    Parameters
    ----------
    json
        Print one JSON object: `valid` and `problems`.
    """
    from bakong_khqr import diagnosis
    from bakong_khqr.diagnosis._verification import problem_dict
    from bakong_khqr.payload._copying import slips

    try:
        text = payload_text(payload)
        verification = diagnosis.verify(text, now)
    except ValueError as error:
        return unusable("verify", error)
    if json:
        problems = [problem_dict(problem) for problem in verification.problems]
        say_json({"valid": verification.is_valid, "problems": problems})
    else:
        say(*[f"wrong: {problem}" for problem in verification.problems] or ["valid"])
        if not verification:
            say(*(f"note: {slip.message}. {slip.change}" for slip in slips(text)))
    return 0 if verification else WRONG


def inspect(payload: Payload = "-", /, *, now: Now = None, json: bool = False) -> int:
    """Explain a payload: every data object and its meaning, every problem, whose rule it breaks and what to change.

    Exit code 0: it is valid. 1: it isn't valid. 2: wrong options.

    Parameters
    ----------
    json
        Print one JSON object: `valid`, `problems`, `notices` and `data_objects`.
    """
    from bakong_khqr import diagnosis

    try:
        inspection = diagnosis.inspect(payload_text(payload), now)
    except ValueError as error:
        return unusable("inspect", error)
    _print(inspection.to_dict() if json else str(inspection).split("\n"))
    return 0 if inspection.is_valid else WRONG


def _print(answer: Mapping[str, object] | Iterable[str]) -> None:
    if isinstance(answer, Mapping):
        say_json(answer)
    else:
        say(*answer)
