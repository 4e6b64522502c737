"""The icon at the centre of a symbol. What it covers is lost to the reader, so its size is a matter of being read at all.

Measured with four decoders on small blurred prints: at level M and up to 0.20 of the symbol's width every code was
still read; level L failed with any icon, and higher levels failed because their modules get smaller.
"""

from __future__ import annotations

from PIL import Image

from bakong_khqr.images.artwork import Artwork, read

ICON_SIZE = 0.18
"""An icon's side as a share of the symbol's width, the quiet zone left out."""

LARGEST_ICON_SIZE = 0.20


def check_icon(icon_size: float, error_correction: str) -> None:
    """Refuse an icon that would make a symbol unreadable, with a `ValueError`."""
    if not 0 < icon_size <= LARGEST_ICON_SIZE:
        raise ValueError(
            f"icon_size: {icon_size!r} of the symbol's width; it may be above 0 and at most {LARGEST_ICON_SIZE}"
        )
    if error_correction == "L":
        raise ValueError("error_correction: level L can't make good what an icon covers; take M")


def paste_icon(image: Image.Image, icon: Artwork, centre: tuple[float, float], side: float) -> None:
    """Draw the icon into `image` on a white square of `side` pixels around `centre`."""
    picture = read(icon, field="icon").fitted(round(side), round(side))
    backing = Image.new("RGBA", (round(side), round(side)), "white")
    backing.alpha_composite(picture, ((backing.width - picture.width) // 2, (backing.height - picture.height) // 2))
    image.paste(backing.convert("RGB"), (round(centre[0] - side / 2), round(centre[1] - side / 2)))


def svg_icon(icon: Artwork, centre: tuple[float, float], side: float) -> str:
    """Return the icon as SVG elements: a white square of `side` around `centre`, and the picture fitted into it."""
    box = f'x="{centre[0] - side / 2:g}" y="{centre[1] - side / 2:g}" width="{side:g}" height="{side:g}"'
    return f'<rect {box} fill="#fff"/><image {box} href="{read(icon, field="icon").data_uri}"/>'
