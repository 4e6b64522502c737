"""Draws a line of text, into the pixels of a picture or as an SVG path, from the outlines of the font."""

from __future__ import annotations

from functools import cache

import attrs
import uharfbuzz as hb
from PIL import Image

from bakong_khqr.images.typesetting import PlacedLine


def draw(image: Image.Image, placed: PlacedLine, ink: int) -> None:
    """Draw the line into a greyscale image, in the level `ink` (0 to 255) with smooth edges."""
    rasterizer = hb.RasterDraw()
    for glyph in placed.line.glyphs:
        scale = placed.size * glyph.font.em
        # In HarfBuzz, y grows upwards from the baseline. The fractions of a pixel in the line's place are kept.
        x, y = placed.x % 1 + glyph.x * placed.size, glyph.y * placed.size - placed.baseline % 1
        rasterizer.transform = (scale, 0, 0, scale, x, y)
        rasterizer.draw_glyph(glyph.font.shaper, glyph.id)
    coverage = rasterizer.render()
    box = coverage.extents
    if not (box.width and box.height):  # only spaces
        return
    mask = Image.frombytes("L", (box.width, box.height), coverage.buffer, "raw", "L", box.stride, -1)
    left, top = int(placed.x) + box.x_origin, int(placed.baseline) - box.y_origin - box.height
    image.paste(ink, (left, top), mask)


def svg_path(placed: PlacedLine) -> str:
    """Return the line as an SVG path element, its coordinates in thousandths of an em."""
    path: list[str] = []
    for glyph in placed.line.glyphs:
        glyph.font.shaper.draw_glyph(
            glyph.id, _path_writer(), _Pen(path, glyph.x * 1000, glyph.y * 1000, glyph.font.em * 1000)
        )
    scale = placed.size / 1000
    return (
        f'<path fill="{placed.colour}" transform="translate({placed.x:.2f} {placed.baseline:.2f}) '
        f'scale({scale:.5f} {-scale:.5f})" d="{"".join(path)}"/>'
    )


@attrs.frozen
class _Pen:
    """Writes the outline of a glyph to a path, in the coordinates of the line."""

    path: list[str]
    x: float
    y: float
    scale: float

    def write(self, command: str, *coordinates: float) -> None:
        points = zip(coordinates[::2], coordinates[1::2], strict=True)
        self.path.append(
            command + " ".join(f"{self.x + x * self.scale:.0f} {self.y + y * self.scale:.0f}" for x, y in points)
        )


@cache
def _path_writer() -> hb.DrawFuncs:
    writer = hb.DrawFuncs()
    writer.set_move_to_func(lambda x, y, pen: pen.write("M", x, y))
    writer.set_line_to_func(lambda x, y, pen: pen.write("L", x, y))
    writer.set_quadratic_to_func(lambda cx, cy, x, y, pen: pen.write("Q", cx, cy, x, y))
    writer.set_cubic_to_func(lambda ax, ay, bx, by, x, y, pen: pen.write("C", ax, ay, bx, by, x, y))
    writer.set_close_path_func(lambda pen: pen.write("Z"))
    return writer
