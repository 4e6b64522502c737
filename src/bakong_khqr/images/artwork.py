"""Reads and checks the pictures that a caller gives: the icon at the centre of a symbol and the logo on a card.

Only PNG is accepted. Its header is checked before it is unpacked, because the file may come from a merchant.
"""

from __future__ import annotations

import base64
import os
from io import BytesIO
from pathlib import Path

import attrs
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

Artwork = str | os.PathLike[str] | bytes
"""A PNG picture: the path of the file, or its bytes."""

LARGEST_SIDE = 4096
"""The most pixels that a picture may be wide or high. A card shows fewer, and 64 MB of memory are enough for them."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The first eight bytes of every PNG file."""


@attrs.frozen
class Picture:
    """A picture that a caller gave, in the two forms in which it is drawn."""

    png: bytes  # the file as the caller gave it, which is embedded in an SVG
    image: Image.Image  # its pixels in RGBA, which are pasted into a PNG

    @property
    def data_uri(self) -> str:
        """The picture as a `data:` URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()

    def fitted(self, width: int, height: int) -> Image.Image:
        """Return a copy of the picture that is as large as possible in a box of `width` x `height` pixels.

        The picture keeps its proportions. A small picture is enlarged.
        """
        scale = min(width / self.image.width, height / self.image.height)
        size = (max(1, round(self.image.width * scale)), max(1, round(self.image.height * scale)))
        return self.image.resize(size, Image.Resampling.LANCZOS)


def read(artwork: Artwork, *, field: str) -> Picture:
    """Read a PNG picture. `field` is the name of the argument, for the errors.

    Raises `OSError` if a file can't be read, `TypeError` for anything but a path or bytes, and `ValueError` for a
    picture that isn't a PNG, is damaged, or is over 4096 pixels wide or high.
    """
    if isinstance(artwork, bytes):
        png = artwork
    elif isinstance(artwork, str | os.PathLike):
        png = Path(artwork).read_bytes()
    else:
        raise TypeError(f"{field}: expected the path or the bytes of a PNG, got {type(artwork).__name__}")
    if not png.startswith(SIGNATURE):
        raise ValueError(f"{field}: this is not a PNG picture ({len(png)} bytes)")
    try:
        opened = PngImageFile(BytesIO(png))  # reads only the size
        too_large = max(opened.size) > LARGEST_SIDE
        image = None if too_large else opened.convert("RGBA")  # unpacks the pixels
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all three
        raise ValueError(f"{field}: the PNG picture is damaged: {error}") from error
    if image is None:
        raise ValueError(
            f"{field}: the picture has {opened.width} x {opened.height} pixels; a side may have {LARGEST_SIDE}"
        )
    return Picture(png, image)
