"""Sets the texts of a card in its fonts, shapes them by the rules of their script, and fits them. It draws nothing.

HarfBuzz shapes the text, and also draws the glyphs for PNG and SVG. Pillow can't do this: without the system library
FriBiDi, which small containers and Windows don't have, it puts Khmer vowels and subscripts in wrong places.
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

# In bold Khmer the riel sign can't be recognised. Medium Khmer looks right beside bold Latin.
BUNDLED = {
    "regular": ("nunito-sans-400.ttf", "noto-sans-khmer-400.ttf"),
    "bold": ("nunito-sans-700.ttf", "noto-sans-khmer-500.ttf"),
}

LEAST_SHRINK = 0.75
"""A line that is too long becomes smaller, down to this share of its size, and only then two lines."""

LEAST_SIZE = 0.5
"""A text that doesn't fit on two lines at this share of its size is refused, because nobody could read it."""

MOST_CHARACTERS = 200
"""More characters than two lines can have. A longer text is refused at once."""

ZERO_WIDTH_SPACE = "\u200b"  # Khmer is written without spaces; this marks where a line may be broken
_SPACE_AROUND = re.compile(rf"\A[\s{ZERO_WIDTH_SPACE}]+|[\s{ZERO_WIDTH_SPACE}]+\Z")


@attrs.frozen
class Font:
    """A font at the size of 1 em: multiply its coordinates by `em` and the size in pixels."""

    shaper: hb.Font
    em: float

    @classmethod
    def of(cls, content: bytes, *, field: str) -> Font:
        """Read a font file. Raises `ValueError` if it isn't a font."""
        face = hb.Face(hb.Blob(content))
        if not face.glyph_count:
            raise ValueError(f"{field}: this is not a TrueType or OpenType font ({len(content)} bytes)")
        return cls(hb.Font(face), 1 / face.upem)

    def has(self, character: str) -> bool:
        """Return whether the font has this character."""
        return self.shaper.get_nominal_glyph(ord(character)) is not None


@attrs.frozen
class Glyph:
    """A glyph of a font and the place of its origin, in ems from the beginning of the line; y grows upwards."""

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
    """Return a caller's fonts. Raises `OSError` if a file can't be read, and `ValueError` if it isn't a font."""
    if isinstance(files, str | bytes | os.PathLike):
        raise TypeError(f"fonts: expected a sequence of paths or bytes, got one {type(files).__name__}")
    contents = (file if isinstance(file, bytes) else Path(file).read_bytes() for file in files)
    return tuple(Font.of(content, field="fonts") for content in contents)


def shape(text: str, fonts: Sequence[Font], *, field: str) -> Line:
    """Return `text` as a line. Each character is set in the first font that has it.

    `field` is the name of the argument. Raises `ValueError` with it and the character that no font has.
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
    """Yield the pieces of the text that have one font each: (start, end, font)."""
    start, current = 0, None
    for offset, character in enumerate(text):
        # A mark belongs to the letter before it, and is drawn in the same font if that font has it.
        category = unicodedata.category(character)
        if current and category in {"Mn", "Mc", "Cf"} and current.has(character):
            continue
        if category == "Cc":
            raise ValueError(
                f"{field}: {character!r} at offset {offset} is a control character, which a card can't show"
            )
        font = next((font for font in fonts if font.has(character)), None)
        if font is None:
            raise ValueError(
                f"{field}: no font has the character {character!r} (U+{ord(character):04X}) at offset {offset}; "
                "give a font that has it in `fonts`"
            )
        if current and font is not current:
            yield start, offset, current
            start = offset
        current = font
    if current:
        yield start, len(text), current


def fit_line(text: str, fonts: Sequence[Font], *, size: float, width: float, field: str) -> tuple[Line, float]:
    """Return `text` as a line within `width` pixels, and its size: `size` pixels, or less if the text is too long.

    Raises `TypeError` if it isn't text, and `ValueError` if it is blank, too long to be read, or has a character that
    no font has.
    """
    line = _whole_line(text, fonts, field)
    if line.width * size * LEAST_SIZE > width:
        raise ValueError(f"{field}: {len(text)} characters are too many for a line of this card: {text!r}")
    return line, min(size, width / line.width)


def fit_name(text: str, fonts: Sequence[Font], *, size: float, width: float, field: str) -> tuple[list[Line], float]:
    """Fit a text as `fit_line` does, on two lines if it would be too small on one.

    The text is broken at a space or a zero-width space if possible, and else between two letters.
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
    raise ValueError(f"{field}: {len(text)} characters are too many for two lines of a card: {text!r}")


def _whole_line(text: str, fonts: Sequence[Font], field: str) -> Line:
    if not isinstance(text, str):
        raise TypeError(f"{field}: expected text (str), got {type(text).__name__}")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{field}: it has {len(text)} characters; a card takes at most {MOST_CHARACTERS}")
    line = shape(_tidy(text), fonts, field=field)
    if not line.width:
        raise ValueError(f"{field}: it is blank; a card needs a text here")
    return line


def _tidy(text: str) -> str:
    """Compose accents, because fonts have them in one character, and drop the spaces around the text."""
    return _SPACE_AROUND.sub("", unicodedata.normalize("NFC", text))
