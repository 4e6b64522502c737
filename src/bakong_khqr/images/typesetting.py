"""Text for a card: set in the card's fonts, shaped as its script wants it, and made to fit. It draws nothing.

HarfBuzz shapes the text, and later also draws the glyphs, for PNG and SVG alike. Pillow's text can't take its place:
without the system library FriBiDi, which slim containers and Windows lack, it puts Khmer vowels and subscripts in the
wrong places.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

import attrs
import uharfbuzz as hb

Weight = Literal["regular", "bold"]
FontFile = str | os.PathLike[str] | bytes
"""A TrueType or OpenType font: the path of the file, or its bytes."""

# The bold Khmer face closes up the riel sign; the medium one stands well beside the bold Latin.
BUNDLED = {
    "regular": ("nunito-sans-400.ttf", "noto-sans-khmer-400.ttf"),
    "bold": ("nunito-sans-700.ttf", "noto-sans-khmer-500.ttf"),
}

LEAST_SHRINK = 0.75
"""A line that is too long is made smaller down to this share of its size, and only then broken in two."""

LEAST_SIZE = 0.5
"""What doesn't fit on two lines at this share of its size is refused: nobody could read it."""

MOST_CHARACTERS = 200
"""More than two lines could hold; refused before any work goes into them."""

ZERO_WIDTH_SPACE = "\u200b"  # marks where a Khmer line may be broken, as Khmer is written without spaces
_SPACE_AROUND = re.compile(rf"\A[\s{ZERO_WIDTH_SPACE}]+|[\s{ZERO_WIDTH_SPACE}]+\Z")


@attrs.frozen
class Font:
    """A font at the size of 1 em: multiply its coordinates by `em` and the size in pixels."""

    shaper: hb.Font
    em: float

    @classmethod
    def of(cls, content: bytes, *, field: str) -> Font:
        """Read a font file, or raise `ValueError` where it isn't one."""
        face = hb.Face(hb.Blob(content))
        if not face.glyph_count:
            raise ValueError(f"{field}: this is not a TrueType or OpenType font ({len(content)} bytes)")
        return cls(hb.Font(face), 1 / face.upem)

    def has(self, character: str) -> bool:
        """Whether the font can show this character."""
        return self.shaper.get_nominal_glyph(ord(character)) is not None


@attrs.frozen
class Glyph:
    """A glyph of a font and where its origin stands, in ems from the beginning of the line; y grows upwards."""

    font: Font
    id: int
    x: float
    y: float


@attrs.frozen
class Line:
    """A line of text, shaped. `width` is in ems; `breaks` are the places in the text where a glyph cluster begins."""

    glyphs: tuple[Glyph, ...]
    width: float
    breaks: tuple[int, ...]


@attrs.frozen
class PlacedLine:
    """A line of text where it is drawn: `x` and `baseline` from the picture's top left corner, all in pixels."""

    line: Line
    x: float
    baseline: float
    size: float
    colour: str


@cache
def bundled_fonts(weight: Weight) -> tuple[Font, ...]:
    """Return the card's own fonts of this weight, Latin before Khmer."""
    assets = resources.files("bakong_khqr.images") / "assets"
    return tuple(Font.of((assets / name).read_bytes(), field=name) for name in BUNDLED[weight])


def read_fonts(files: Sequence[FontFile]) -> tuple[Font, ...]:
    """Return a caller's fonts. Raises `OSError` where a file can't be read and `ValueError` where it isn't a font."""
    if isinstance(files, str | bytes | os.PathLike):
        raise TypeError(f"fonts: expected a sequence of paths or bytes, got one {type(files).__name__}")
    contents = (file if isinstance(file, bytes) else Path(file).read_bytes() for file in files)
    return tuple(Font.of(content, field="fonts") for content in contents)


def shape(text: str, fonts: Sequence[Font], *, field: str) -> Line:
    """Set `text` in the first of the fonts that has each character, and return the line.

    `field` is the argument that the text came by. Raises `ValueError` naming it and the character that no font has.
    """
    glyphs: list[Glyph] = []
    breaks: list[int] = []
    pen = 0.0
    for start, end, font in _runs(text, fonts, field):
        buffer = hb.Buffer()
        buffer.add_str(text[start:end])
        buffer.guess_segment_properties()
        hb.shape(font.shaper, buffer)
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            glyphs.append(Glyph(font, info.codepoint, pen + position.x_offset * font.em, position.y_offset * font.em))
            pen += position.x_advance * font.em
            breaks.append(start + info.cluster)
    return Line(tuple(glyphs), pen, tuple(sorted(set(breaks))))


def _runs(text: str, fonts: Sequence[Font], field: str) -> Iterator[tuple[int, int, Font]]:
    """Cut the text into pieces of one font each: (start, end, font)."""
    start, current = 0, None
    for offset, character in enumerate(text):
        # A mark belongs to the letter before it, and is drawn in the same font where that has it.
        category = unicodedata.category(character)
        if current and category in {"Mn", "Mc", "Cf"} and current.has(character):
            continue
        if category == "Cc":
            raise ValueError(
                f"{field}: {character!r} at offset {offset} is a control character; a card has no place for it"
            )
        font = next((font for font in fonts if font.has(character)), None)
        if font is None:
            raise ValueError(
                f"{field}: no font has the character {character!r} (U+{ord(character):04X}) at offset {offset}; "
                "give one that does in `fonts`"
            )
        if current and font is not current:
            yield start, offset, current
            start = offset
        current = font
    if current:
        yield start, len(text), current


def fit_line(text: str, fonts: Sequence[Font], *, size: float, width: float, field: str) -> tuple[Line, float]:
    """Return the line that sets `text` within `width` pixels, and its size: `size` pixels, or less where it must be.

    Raises `TypeError` for what isn't text, and `ValueError` for text that is blank, too long to be read, or has a
    character that no font has.
    """
    line = _whole_line(text, fonts, field)
    if line.width * size * LEAST_SIZE > width:
        raise ValueError(f"{field}: {len(text)} characters are more than a line of this card holds: {text!r}")
    return line, min(size, width / line.width)


def fit_name(text: str, fonts: Sequence[Font], *, size: float, width: float, field: str) -> tuple[list[Line], float]:
    """Like `fit_line`, with a second line for a text that would get too small on one.

    It is broken at a space or a zero-width space if that will do, else between two letters.
    """
    line = _whole_line(text, fonts, field)
    if line.width * size * LEAST_SHRINK <= width:
        return [line], min(size, width / line.width)
    text = _tidy(text)
    spaces = [offset for offset, character in enumerate(text) if character.isspace() or character == ZERO_WIDTH_SPACE]
    for places, least in ((spaces, LEAST_SHRINK), (line.breaks[1:], LEAST_SIZE)):
        halves = [[shape(_tidy(part), fonts, field=field) for part in (text[:place], text[place:])] for place in places]
        best = min(halves, key=lambda pair: max(half.width for half in pair), default=[line])
        longer = max(half.width for half in best)
        if longer * size * least <= width:
            return best, min(size, width / longer)
    raise ValueError(f"{field}: {len(text)} characters are more than two lines of a card hold: {text!r}")


def _whole_line(text: str, fonts: Sequence[Font], field: str) -> Line:
    if not isinstance(text, str):
        raise TypeError(f"{field}: expected text (str), got {type(text).__name__}")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{field}: {len(text)} characters; a card holds {MOST_CHARACTERS} at most")
    line = shape(_tidy(text), fonts, field=field)
    if not line.width:
        raise ValueError(f"{field}: it is blank; a card needs a text here")
    return line


def _tidy(text: str) -> str:
    """Compose accents, which fonts have as one character, and drop the space around the text."""
    return _SPACE_AROUND.sub("", unicodedata.normalize("NFC", text))
