"""The options of pictures. `KHQR` and the command line take them from here, and `images` draws by them.

An icon, a logo and fonts aren't here, because a program gives their bytes, and a command line their files.
"""

from typing import Literal, TypedDict

ErrorCorrection = Literal["L", "M", "Q", "H"]
"""How much of a damaged symbol can be restored: about 7, 15, 25 or 30 per cent. More makes the modules smaller."""


class PictureOptions(TypedDict, total=False):
    """The options of a plain QR symbol as PNG or SVG."""

    scale: int
    """The width of a module in pixels; 10 by default."""
    border: int
    """The quiet zone in modules; 4 in the standard, and by default."""
    error_correction: ErrorCorrection
    """How much damage can be restored: L, M, Q or H. M, the default, is best: a higher level needs more modules, so at
    the same size each module is smaller and harder to read."""
    icon_size: float
    """The side of the icon as a share of the symbol's width, at most 0.20; 0.18 by default."""


class CardOptions(TypedDict, total=False):
    """The options of a KHQR card."""

    width: int
    """The width in pixels: at least 400, or at least 600 if the payload has a name in a second language. The default
    is 600. The height is 29/20 of it, as on the national bank's card."""
