"""Chooses the one of the eight masks that makes a symbol the easiest to read (ISO/IEC 18004, 7.8.3).

The standard gives penalties for four things: long runs and blocks of one colour, patterns that look like a finder
pattern, and an uneven share of dark and light. The library counts them cell by cell, which takes four fifths of the
time of a picture. Here a symbol is one integer with a bit for each cell, row after row, so a count needs only a few
shifts and ANDs. A test compares the choice with the library's.
"""

from __future__ import annotations

from functools import cache
from itertools import chain

from qrcode.main import QRCode

MASKS = range(8)
_DIGITS = bytes.maketrans(b"\0\1", b"01")


def best_mask(symbol: QRCode) -> int:
    """Return the mask, 0 to 7, with the lowest penalty for the data of this symbol."""
    unmasked = _cells(symbol, 0)
    side = symbol.modules_count
    return min(MASKS, key=lambda mask: penalty(unmasked ^ _flips(symbol.version)[mask], side))


def penalty(cells: int, side: int) -> int:
    """Return the standard's penalty of a symbol with `side` cells in a row. A set bit is a dark cell."""
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
    """Mark each cell that has the same colour as its neighbour `step` bits later."""
    return ~(cells ^ cells >> step) & having_one


def _runs(like: int, step: int) -> int:
    """Return the penalty of the runs: 3 for five cells of one colour in a row, and 1 for each further cell."""
    fives = like & like >> step & like >> 2 * step & like >> 3 * step
    return fives.bit_count() + 2 * (fives & ~(fives << step)).bit_count()


def _look_alikes(cells: int, every: int, step: int, with_room: int) -> int:
    """Count the patterns dark-light-dark-dark-dark-light-dark that have four light cells before or after them."""
    light = every & ~cells
    core = cells & light >> step & cells >> 2 * step & cells >> 3 * step & cells >> 4 * step
    core &= light >> 5 * step & cells >> 6 * step
    pause = light & light >> step & light >> 2 * step & light >> 3 * step
    return ((core & pause >> 7 * step | pause & core >> 4 * step) & with_room).bit_count()


@cache
def _columns(side: int, count: int) -> int:
    """Return the first `count` cells of every row."""
    return sum(((1 << count) - 1) << row * side for row in range(side))


@cache
def _flips(version: int) -> tuple[int, ...]:
    """Return the cells that each mask inverts in a symbol of this version with mask 0. The data doesn't matter."""
    sample = QRCode(version=version, border=0)
    sample.add_data("KHQR")
    drawn = [_cells(sample, mask) for mask in MASKS]
    return tuple(drawn[0] ^ cells for cells in drawn)


def _cells(symbol: QRCode, mask: int) -> int:
    """Let the library lay out the symbol without its format information, and return it as bits."""
    symbol.makeImpl(True, mask)
    return int(bytes(chain.from_iterable(symbol.modules)).translate(_DIGITS), 2)
