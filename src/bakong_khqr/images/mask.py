"""Which of the eight masks makes a symbol the easiest to read (ISO/IEC 18004, 7.8.3).

The standard counts four kinds of trouble: long runs and blocks of one colour, look-alikes of a finder pattern, and an
uneven share of dark and light. The library counts them cell by cell, four fifths of the time that a picture takes.
Here a symbol is one integer with a bit for each cell, row after row, so that a count is a few shifts and ANDs over all
cells at once. The choice is the library's own: a test compares them.
"""

from __future__ import annotations

from functools import cache
from itertools import chain

from qrcode.main import QRCode

MASKS = range(8)
_DIGITS = bytes.maketrans(b"\0\1", b"01")


def best_mask(symbol: QRCode) -> int:
    """Return the mask, 0 to 7, with the lowest penalty for this symbol's data; the first of equals."""
    unmasked = _cells(symbol, 0)
    side = symbol.modules_count
    return min(MASKS, key=lambda mask: penalty(unmasked ^ _flips(symbol.version)[mask], side))


def penalty(cells: int, side: int) -> int:
    """Return the standard's penalty of a symbol, given as bits (a set bit is dark), of `side` cells a row."""
    every = (1 << side * side) - 1
    like_next = _like_neighbour(cells, 1, _columns(side, side - 1))
    like_below = _like_neighbour(cells, side, every >> side)
    blocks = like_next & like_next >> side & like_below
    look_alikes = _look_alikes(cells, every, 1, _columns(side, side - 10))
    look_alikes += _look_alikes(cells, every, side, every >> 10 * side)
    dark_per_cent = cells.bit_count() / side**2 * 100
    return (
        _runs(like_next, 1)
        + _runs(like_below, side)
        + 3 * blocks.bit_count()
        + 40 * look_alikes
        + 10 * int(abs(dark_per_cent - 50) / 5)
    )


def _like_neighbour(cells: int, step: int, having_one: int) -> int:
    """Mark each cell whose neighbour, `step` bits on, has its colour."""
    return ~(cells ^ cells >> step) & having_one


def _runs(like: int, step: int) -> int:
    """Five of one colour in a row cost 3, each further one 1."""
    fives = like & like >> step & like >> 2 * step & like >> 3 * step
    return fives.bit_count() + 2 * (fives & ~(fives << step)).bit_count()


def _look_alikes(cells: int, every: int, step: int, with_room: int) -> int:
    """Count dark-light-dark-dark-dark-light-dark with four light cells before or after it: eleven cells."""
    light = every & ~cells
    core = cells & light >> step & cells >> 2 * step & cells >> 3 * step & cells >> 4 * step
    core &= light >> 5 * step & cells >> 6 * step
    pause = light & light >> step & light >> 2 * step & light >> 3 * step
    return ((core & pause >> 7 * step | pause & core >> 4 * step) & with_room).bit_count()


@cache
def _columns(side: int, count: int) -> int:
    """The first `count` cells of every row."""
    return sum(((1 << count) - 1) << row * side for row in range(side))


@cache
def _flips(version: int) -> tuple[int, ...]:
    """What each mask turns over in a symbol of this version that has mask 0. It is the same whatever the data."""
    sample = QRCode(version=version, border=0)
    sample.add_data("KHQR")
    drawn = [_cells(sample, mask) for mask in MASKS]
    return tuple(drawn[0] ^ cells for cells in drawn)


def _cells(symbol: QRCode, mask: int) -> int:
    """Let the library lay out the symbol, its format information left blank, and read it as bits."""
    symbol.makeImpl(True, mask)
    return int(bytes(chain.from_iterable(symbol.modules)).translate(_DIGITS), 2)
