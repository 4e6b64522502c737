"""The icon at the centre of a symbol. It hides modules, so its size decides whether the symbol can be read.

Four decoders were measured on small blurred prints. At level M, they read every code with an icon of up to 0.20 of the
symbol's width. Level L failed with any icon, and higher levels failed because their modules are smaller.
"""

from __future__ import annotations

import attrs
from PIL import Image

from bakong_khqr.errors import shown
from bakong_khqr.images.artwork import Artwork, read

ICON_SIZE = 0.18
"""The side of an icon as a share of the symbol's width, without the quiet zone."""

LARGEST_ICON_SIZE = 0.20


@attrs.frozen
class IconBox:
    """The sides of the icon and of the white square behind it, in the unit of the picture."""

    icon: float
    ground: float


def check_icon(icon_size: float, error_correction: str) -> None:
    """Raise `ValueError` for an icon that makes a symbol unreadable, and `TypeError` for a size that isn't a number."""
    if not isinstance(icon_size, int | float):
        raise TypeError(f"icon_size: expected a share of the symbol's width (float), got {type(icon_size).__name__}")
    if not 0 < icon_size <= LARGEST_ICON_SIZE:
        raise ValueError(
            f"icon_size: {shown(icon_size)} of the symbol's width; it takes more than 0 and at most {LARGEST_ICON_SIZE}"
        )
    if error_correction == "L":
        raise ValueError("error_correction: level L can't restore what an icon covers; use M")


def icon_box(modules_a_side: int, icon_size: float, module: float = 1) -> IconBox:
    """Return the sides for an icon of `icon_size` of the symbol's width, in the unit that `module` is given in.

    The white ground covers whole modules, so it cuts none. It is never more than 0.20 of the symbol.
    """
    icon = modules_a_side * icon_size
    # The side of a symbol is odd, and so is the side of any square in its middle that cuts no module.
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
