"""The icon at the centre of a symbol. It hides modules, so its size decides whether the symbol can be read at all.

Measured with four decoders on small blurred prints: at level M and up to 0.20 of the symbol's width every code was
still read; level L failed with any icon, and higher levels failed because their modules get smaller.
"""

from __future__ import annotations

import attrs
from PIL import Image

from bakong_khqr.errors import shown
from bakong_khqr.images.artwork import Artwork, read

ICON_SIZE = 0.18
"""An icon's side as a share of the symbol's width, the quiet zone left out."""

LARGEST_ICON_SIZE = 0.20


@attrs.frozen
class IconBox:
    """The sides of the icon and of the white square behind it, in the picture's unit."""

    icon: float
    ground: float


def check_icon(icon_size: float, error_correction: str) -> None:
    """Refuse an icon that would make a symbol unreadable, with a `ValueError`; `TypeError` for a size of no number."""
    if not isinstance(icon_size, int | float):
        raise TypeError(f"icon_size: expected a share of the symbol's width (float), got {type(icon_size).__name__}")
    if not 0 < icon_size <= LARGEST_ICON_SIZE:
        raise ValueError(
            f"icon_size: {shown(icon_size)} of the symbol's width; it may be above 0, and {LARGEST_ICON_SIZE} at most"
        )
    if error_correction == "L":
        raise ValueError("error_correction: level L can't make good what an icon covers; take M")


def icon_box(modules_a_side: int, icon_size: float, module: float = 1) -> IconBox:
    """Return the sides for an icon of `icon_size` of the symbol's width, in the unit that `module` is given in.

    The white ground takes whole modules, so that none is left cut; it never exceeds 0.20 of the symbol either.
    """
    icon = modules_a_side * icon_size
    # A symbol's side is odd, and so is that of any square in its middle that cuts no module.
    ground = next(count for count in range(modules_a_side, 0, -2) if count <= modules_a_side * LARGEST_ICON_SIZE)
    while ground - 2 >= icon:
        ground -= 2
    return IconBox(min(icon, ground) * module, ground * module)


def paste_icon(image: Image.Image, icon: Artwork, centre: tuple[float, float], box: IconBox) -> None:
    """Draw the icon on its white ground into `image`, around `centre`."""
    ground = Image.new("RGB", (round(box.ground), round(box.ground)), "white")
    picture = read(icon, field="icon").fitted(round(box.icon), round(box.icon))
    ground.paste(picture, ((ground.width - picture.width) // 2, (ground.height - picture.height) // 2), picture)
    image.paste(ground, (round(centre[0] - box.ground / 2), round(centre[1] - box.ground / 2)))


def svg_icon(icon: Artwork, centre: tuple[float, float], box: IconBox) -> str:
    """Return the icon on its white ground as SVG elements, around `centre`."""
    return (
        f'<rect {_square(centre, box.ground)} fill="#fff"/>'
        f'<image {_square(centre, box.icon)} href="{read(icon, field="icon").data_uri}"/>'
    )


def _square(centre: tuple[float, float], side: float) -> str:
    x, y = centre[0] - side / 2, centre[1] - side / 2
    return f'x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}"'
