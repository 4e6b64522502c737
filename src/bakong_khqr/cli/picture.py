"""`khqr image` and `khqr card` draw a code into a file, a pipe or the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from bakong_khqr import KHQR, InvalidKHQR
from bakong_khqr._whole_file import write_file
from bakong_khqr.cli.payload_text import Payload, payload_text
from bakong_khqr.cli.refusing import refused, unusable
from bakong_khqr.cli.writing import say, say_json
from bakong_khqr.picture_options import CardOptions, PictureOptions

ImageFormat = Literal["png", "svg", "terminal"]
CardFormat = Literal["png", "svg"]
RowPicture = Literal["png", "svg", "card"]
"""What `khqr encode --csv` draws for a row: the symbol in one of two formats, or the card."""
_OPTIONS_IN_TERMINAL = ("border", "error_correction")
"""The options that a symbol in the terminal has too. The others are ignored there."""
Out = Annotated[
    Path | None,
    Parameter(name=["--out", "-o"], help="The file to write. Without it, the picture goes to standard output."),
]
Json = Annotated[
    bool,
    Parameter(
        help="Print one JSON object instead: `format`, `path`, `data_uri`. Without `--out`, `data_uri` has the picture."
        " For a wrong payload, the object has `valid` and `problems`, as `khqr verify` prints them."
    ),
]


def image(
    payload: Payload = "-",
    /,
    *,
    out: Out = None,
    format: ImageFormat | None = None,  # noqa: A002 - the option's name
    icon: Path | None = None,
    options: Annotated[PictureOptions, Parameter(name="*")] = PictureOptions(),  # noqa: B008 - never changed
    json: Json = False,
) -> int:
    """Draw a payload as a plain QR symbol: a PNG, an SVG, or characters in the terminal.

    Exit code 0: it was drawn. 1: the payload is wrong. 2: a wrong option, or a file that can't be read or written.

    Parameters
    ----------
    format
        `png`, `svg` or `terminal`. By default the ending of `--out` decides. Without `--out`, the format is `terminal`,
        or `png` with `--icon` or `--json`.
    icon
        A PNG for the centre.
    """
    from bakong_khqr import images  # here, because `khqr decode` imports this module too, and doesn't need Pillow

    try:
        text = KHQR.decode(payload_text(payload)).payload
        kind = _format(format, out, "terminal" if icon is None and not json else "png")
        if kind == "terminal":
            _refuse_in_terminal(icon=icon, json=json)
            known: dict[str, Any] = {name: value for name, value in options.items() if name in _OPTIONS_IN_TERMINAL}
            picture: bytes | str = images.terminal(text, **known)
        else:
            draw = images.png if kind == "png" else images.svg
            picture = draw(text, icon=icon, **options)
        _deliver(picture, kind, out, json=json)
    except InvalidKHQR as error:
        return refused("image", error, json=json)
    except (ValueError, OSError) as error:
        return unusable("image", error)
    return 0


def card(
    payload: Payload = "-",
    /,
    *,
    out: Out = None,
    format: CardFormat | None = None,  # noqa: A002 - the option's name
    logo: Path | None = None,
    icon: Path | None = None,
    font: tuple[Path, ...] = (),
    options: Annotated[CardOptions, Parameter(name="*")] = CardOptions(),  # noqa: B008 - never changed
    json: Json = False,
) -> int:
    """Draw a payload as a KHQR card: red header, name, amount and symbol.

    Exit code 0: it was drawn. 1: the payload is wrong. 2: a wrong option, or a file that can't be read or written.

    Parameters
    ----------
    format
        `png` or `svg`. By default the ending of `--out` decides. Without `--out`, the format is `png`.
    logo
        A PNG for the header, instead of the word KHQR.
    icon
        A PNG for the symbol's centre.
    font
        A TrueType or OpenType font for names that are neither Latin nor Khmer. You may give it more than once.
    """
    try:
        khqr = KHQR.decode(payload_text(payload))
        if _format(format, out, "png") == "png":
            _deliver(khqr.to_card(logo=logo, icon=icon, fonts=font, **options), "png", out, json=json)
        else:
            svg = khqr.to_card(format="svg", logo=logo, icon=icon, fonts=font, **options)
            _deliver(svg, "svg", out, json=json)
    except InvalidKHQR as error:
        return refused("card", error, json=json)
    except (ValueError, OSError) as error:
        return unusable("card", error)
    return 0


def _format(asked: str | None, out: Path | None, otherwise: str) -> str:
    """Return the format of the option, or of the file's name."""
    if asked is not None:
        return asked
    if out is None:
        return otherwise
    ending = out.suffix.lower()
    if ending not in {".png", ".svg"}:
        raise ValueError(f"--out: {out} ends in neither .png nor .svg; give --format")
    return ending[1:]


def _refuse_in_terminal(*, icon: Path | None, json: bool) -> None:
    for option, given in (("--icon", icon is not None), ("--json", json)):
        if given:
            raise ValueError(f"{option}: it needs --format png or svg, not the terminal")


def _deliver(picture: bytes | str, kind: str, out: Path | None, *, json: bool) -> None:
    """Write the picture to its file, or else to standard output."""
    from bakong_khqr import images

    content = picture if isinstance(picture, bytes) else picture.encode()
    if out is not None:
        write_file(out, content)
    if json:
        data_uri = images.data_uri(picture) if out is None else None
        say_json({"format": kind, "path": out and str(out), "data_uri": data_uri})
    elif out is not None:
        say(f"{out}: {kind.upper()}, {len(content):,} bytes")
    elif kind == "png" and sys.stdout.isatty():
        raise ValueError("--out: a terminal can't show a PNG; name a file, or redirect standard output to a file")
    else:
        sys.stdout.buffer.write(content)
