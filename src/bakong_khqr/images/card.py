"""Lays out the KHQR card: it computes the place of each part, in pixels, and draws nothing.

Independent implementations of the national bank's card agree on these proportions: 20 wide and 29 high, a red header of
12 per cent of the height with a folded corner, the merchant's name at 3 per cent, the amount in bold at 6.5 per cent, a
dashed line, and the symbol with 10 per cent of the height on each side and 8 per cent above and below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

import attrs

from bakong_khqr.errors import shown
from bakong_khqr.images.modules import Modules, modules
from bakong_khqr.images.typesetting import (
    Font,
    FontFile,
    Line,
    PlacedLine,
    bundled_fonts,
    fit_line,
    fit_name,
    read_fonts,
    shape,
)

RED = "#E1232E"
BLACK = "#000000"
WHITE = "#FFFFFF"
GREY = "#B0B0B0"

LEAST_WIDTH = 400
LEAST_WIDTH_WITH_ALTERNATE_NAME = 600
"""In pixels. Phones can't read blurred smaller cards. A second name makes the payload longer by a third."""
LARGEST_WIDTH = 5_000
LEAST_MODULE = 3
"""The least pixels of a module: with fewer, a phone's camera can't distinguish the cells."""

# Shares of the card's height. The size of letters is their em.
HEADER = 0.12
FOLD = 0.055
NAME = 0.03
AMOUNT = 0.065
CURRENCY = 0.03
GAP = 0.012  # between the amount and the currency behind it
SYMBOL_MARGIN = 0.08  # above and below the symbol

# Shares of its width.
SYMBOL_BOX = Fraction(71, 100)  # the margins are 10 per cent of the height, which is 29/20 of the width
LOGO_WIDTH = 0.6  # the most that a logo takes

WORDMARK = 0.45
"""The height of the logo, and the size of the plain "KHQR" in its place, as a share of the header's height."""

# In ems.
CAPITAL = 0.705  # the height of a capital letter of Nunito Sans
LEADING = 1.45  # from line to line, with room for Khmer's subscripts and stacked vowels
BASELINE = 1.03  # from a line's top to its baseline

Row = list[tuple[Line, float]]
"""Texts side by side on one baseline, each with its size in pixels."""


@attrs.frozen(kw_only=True)
class CardLayout:
    """The places of everything on a card, in pixels from its top left corner."""

    width: int
    height: int
    header: int
    fold: int
    logo_box: tuple[int, int]
    divider: int
    dash: int
    stroke: int
    wordmark: PlacedLine
    lines: tuple[PlacedLine, ...]
    symbol: Modules
    module: int
    symbol_left: int
    symbol_top: int

    @property
    def symbol_centre(self) -> tuple[float, float]:
        """The middle of the symbol."""
        half = len(self.symbol) * self.module / 2
        return self.symbol_left + half, self.symbol_top + half


def lay_out(
    payload: str,
    *,
    merchant_name: str,
    merchant_name_alternate: str | None,
    amount_text: str | None,
    currency: str,
    width: int,
    fonts: Sequence[FontFile],
) -> CardLayout:
    """Lay out a card. Arguments and errors are those of `card_png`."""
    symbol = modules(payload)
    _check_width(width, len(symbol), merchant_name_alternate)
    height = round(width * 29 / 20)
    header = round(height * HEADER)
    box = floor(width * SYMBOL_BOX)
    margin = (width - box) // 2
    symbol_box_top = height - round(height * SYMBOL_MARGIN) - box
    divider = symbol_box_top - round(height * SYMBOL_MARGIN)
    module = box // len(symbol)
    inset = (box - module * len(symbol)) // 2

    extra = read_fonts(fonts)
    regular, bold = (*bundled_fonts("regular"), *extra), (*bundled_fonts("bold"), *extra)
    names = [("merchant_name", merchant_name)]
    if merchant_name_alternate is not None:
        names.append(("merchant_name_alternate", merchant_name_alternate))
    rows: list[Row] = []
    for field, name in names:
        lines, size = fit_name(name, regular, size=height * NAME, width=box, field=field)
        rows += [[(line, size)] for line in lines]
    rows.append(_amount(amount_text, currency, regular, bold, height, box))

    return CardLayout(
        width=width,
        height=height,
        header=header,
        fold=round(height * FOLD),
        logo_box=(round(width * LOGO_WIDTH), round(header * WORDMARK)),
        divider=divider,
        dash=max(2, round(width / 100)),
        stroke=max(1, round(width / 300)),
        wordmark=_wordmark(bold, width, header),
        lines=_stacked(rows, height * GAP, margin, header, divider),
        symbol=symbol,
        module=module,
        symbol_left=margin + inset,
        symbol_top=symbol_box_top + inset,
    )


def _check_width(width: int, modules_a_side: int, merchant_name_alternate: str | None) -> None:
    if not isinstance(width, int) or isinstance(width, bool):
        raise TypeError(f"width: expected a whole number of pixels (int), got {type(width).__name__}")
    if merchant_name_alternate is None:
        least, reason = LEAST_WIDTH, "a card"
    else:
        least, reason = LEAST_WIDTH_WITH_ALTERNATE_NAME, "a card with a name in a second language"
    if (for_symbol := ceil(LEAST_MODULE * modules_a_side / SYMBOL_BOX)) > least:
        least, reason = for_symbol, f"a card whose symbol has {modules_a_side} x {modules_a_side} modules"
    if width < least:
        raise ValueError(
            f"width: {shown(width)} pixels are too few, because phones can't read it; {reason} needs at least {least}"
        )
    if width > LARGEST_WIDTH:
        raise ValueError(f"width: {shown(width)} pixels; the most is {LARGEST_WIDTH}")


def _amount(
    amount_text: str | None, currency: str, regular: Sequence[Font], bold: Sequence[Font], height: int, box: int
) -> Row:
    """Lay out the amount with the smaller currency behind it, or only the currency if the payer enters the amount."""
    word, size = fit_line(currency, regular, size=height * CURRENCY, width=box / 4, field="currency")
    if amount_text is None:
        return [(word, size)]
    rest = box - word.width * size - height * GAP
    return [fit_line(amount_text, bold, size=height * AMOUNT, width=rest, field="amount_text"), (word, size)]


def _stacked(rows: Sequence[Row], gap: float, left: int, top: int, bottom: int) -> tuple[PlacedLine, ...]:
    """Stack the rows in the middle between `top` and `bottom`. If they don't fit, all become smaller."""
    heights = [max(size for _, size in row) * LEADING for row in rows]
    shrink = min(1.0, (bottom - top) / sum(heights))
    y = top + (bottom - top - sum(heights) * shrink) / 2
    placed: list[PlacedLine] = []
    for row, row_height in zip(rows, heights, strict=True):
        x = float(left)
        baseline = y + row_height * shrink * BASELINE / LEADING
        for line, size in row:
            placed.append(PlacedLine(line, x, baseline, size * shrink, BLACK))
            x += line.width * size * shrink + gap * shrink
        y += row_height * shrink
    return tuple(placed)


def _wordmark(bold: Sequence[Font], width: int, header: int) -> PlacedLine:
    """Lay out plain "KHQR" in the middle of the header, for a card without a logo."""
    line = shape("KHQR", bold, field="wordmark")
    size = header * WORDMARK
    return PlacedLine(line, (width - line.width * size) / 2, header / 2 + size * CAPITAL / 2, size, WHITE)
