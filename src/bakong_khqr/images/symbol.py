"""Draws a payload as a plain QR symbol: PNG, SVG, or text for a terminal."""

from __future__ import annotations

import base64
from io import BytesIO

from PIL import Image

from bakong_khqr.errors import shown
from bakong_khqr.images.artwork import Artwork
from bakong_khqr.images.icon import ICON_SIZE, check_icon, icon_box, paste_icon, svg_icon
from bakong_khqr.images.modules import Modules, modules
from bakong_khqr.picture_options import ErrorCorrection

LARGEST_SIDE = 10_000
"""The longest side in pixels: a wrong `scale` must be an error, and must not need gigabytes."""


def png(
    payload: str,
    *,
    scale: int = 10,
    border: int = 4,
    error_correction: ErrorCorrection = "M",
    icon: Artwork | None = None,
    icon_size: float = ICON_SIZE,
) -> bytes:
    """Return the payload's QR symbol as a PNG file, black on white.

    `scale` is the width of a module in pixels, at least 1; phones need 3. `border` is the quiet zone in modules,
    4 in the standard, and less only on a white page. `error_correction` is `"L"`, `"M"`, `"Q"` or `"H"`. `icon` is the
    path or the bytes of a PNG, which is drawn at the centre on white, with `icon_size` of the symbol's width, at most
    0.20. Error correction restores what the icon covers, so level L can't have an icon.

    Raises `TypeError` and `ValueError` with the argument, and `OSError` if the icon's file can't be read.
    """
    rows = modules(payload, error_correction=error_correction)
    _check_size(rows, scale, border)
    image = raster(rows, scale, border=border).convert("1", dither=Image.Dither.NONE)
    if icon is not None:
        check_icon(icon_size, error_correction)
        image = image.convert("RGB")
        paste_icon(image, icon, (image.width // 2, image.height // 2), icon_box(len(rows), icon_size, scale))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def svg(
    payload: str,
    *,
    scale: int = 10,
    border: int = 4,
    error_correction: ErrorCorrection = "M",
    icon: Artwork | None = None,
    icon_size: float = ICON_SIZE,
) -> str:
    """Return the payload's QR symbol as an SVG document. Arguments and errors are those of `png`.

    The unit of the drawing is the module. `scale` gives its width and height in pixels.
    """
    rows = modules(payload, error_correction=error_correction)
    _check_size(rows, scale, border)
    side = len(rows) + 2 * border
    drawing = f'<rect width="{side}" height="{side}" fill="#fff"/><path d="{outline(rows, border, border)}"/>'
    if icon is not None:
        check_icon(icon_size, error_correction)
        drawing += svg_icon(icon, (side / 2, side / 2), icon_box(len(rows), icon_size))
    pixels = side * scale
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{pixels}" height="{pixels}" viewBox="0 0 {side} {side}" '
        f'shape-rendering="crispEdges">{drawing}</svg>\n'
    )


def terminal(payload: str, *, border: int = 4, error_correction: ErrorCorrection = "M") -> str:
    """Return the payload's QR symbol as lines for a terminal. A character is one module wide and two modules high.

    Black and white are the colours 16 and 231 of 256, which themes don't change, so a symbol looks the same on a dark
    and on a light terminal. Arguments and errors are those of `png`.
    """
    rows = modules(payload, error_correction=error_correction)
    _check_size(rows, 1, border)
    side = len(rows) + 2 * border
    light = [False] * side
    framed = [light] * border + [[*light[:border], *row, *light[:border]] for row in rows] + [light] * border
    if side % 2:
        framed.append(light)
    halves = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return "".join(
        "\x1b[38;5;16;48;5;231m" + "".join(halves[pair] for pair in zip(upper, lower, strict=True)) + "\x1b[0m\n"
        for upper, lower in zip(framed[::2], framed[1::2], strict=True)
    )


def data_uri(picture: bytes | str) -> str:
    """Return a PNG (bytes) or an SVG document (text) as a `data:` URI, for the `src` of an HTML image."""
    kind, content = ("png", picture) if isinstance(picture, bytes) else ("svg+xml", picture.encode())
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def raster(rows: Modules, scale: int, *, border: int = 0, dark: int = 0, light: int = 255) -> Image.Image:
    """Return the symbol as a greyscale image of two levels. Each module is a square of `scale` pixels."""
    side = len(rows)
    cells = Image.new("L", (side + 2 * border, side + 2 * border), light)
    levels = bytes(dark if cell else light for row in rows for cell in row)
    cells.paste(Image.frombytes("L", (side, side), levels), (border, border))
    return cells.resize((cells.width * scale, cells.height * scale), Image.Resampling.NEAREST)


def outline(rows: Modules, left: float, top: float, module: float = 1) -> str:
    """Return an SVG path of the dark modules, one rectangle for each run of them in a row."""
    path = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                width = (x - start) * module
                path.append(f"M{left + start * module:g} {top + y * module:g}h{width:g}v{module:g}h{-width:g}z")
            else:
                x += 1
    return "".join(path)


def _check_size(rows: Modules, scale: int, border: int) -> None:
    for field, value, least in (("scale", scale, 1), ("border", border, 0)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{field}: expected a whole number (int), got {type(value).__name__}")
        if value < least:
            raise ValueError(f"{field}: {shown(value)} is less than {least}")
    if (side := (len(rows) + 2 * border) * scale) > LARGEST_SIDE:
        made = f"scale: {shown(scale)} with border {shown(border)} makes {shown(side)} pixels a side"
        raise ValueError(f"{made}; the most is {LARGEST_SIDE}")
