"""The picture that a chat shows of a link: the shop's name and the price on the shop's colour."""

from io import BytesIO

from PIL import Image, ImageOps

from bakong_khqr.images.lettering import draw as draw_line
from bakong_khqr.images.typesetting import PlacedLine, bundled_fonts, fit_line
from bakong_service.web.checkout.assets import LIGHT, luminance

_WIDTH, _HEIGHT = 1200, 630  # as Open Graph wants it
_MARGIN = 100
_NAME, _PRICE = 90, 130  # pixels
_INK = 255


def draw(shop: str, price: str | None, colour: str) -> bytes:
    """Return the picture as a PNG. A text with characters that the fonts lack is left out."""
    image = Image.new("L", (_WIDTH, _HEIGHT), 0)
    _write(image, shop, _NAME, 345 if price is None else 280)  # alone, the name stands in the middle
    if price is not None:
        _write(image, price, _PRICE, 460)
    ink = "#000000" if luminance(colour) > LIGHT else "#ffffff"
    file = BytesIO()
    ImageOps.colorize(image, colour, ink).save(file, "PNG")
    return file.getvalue()


def _write(image: Image.Image, text: str, size: float, baseline: float) -> None:
    try:
        line, fitted = fit_line(text, bundled_fonts("bold"), size=size, width=_WIDTH - 2 * _MARGIN, field="text")
    except ValueError:
        return
    draw_line(image, PlacedLine(line, _MARGIN, baseline, fitted, "#000000"), _INK)
