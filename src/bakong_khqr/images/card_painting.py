"""Draws the KHQR card from its layout, as PNG and as SVG. Texts become outlines, so no viewer needs a font."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from xml.sax.saxutils import escape

from PIL import Image, ImageColor, ImageDraw

from bakong_khqr.images.artwork import Artwork, read
from bakong_khqr.images.card import GREY, RED, WHITE, lay_out
from bakong_khqr.images.icon import ICON_SIZE, icon_box, paste_icon, svg_icon
from bakong_khqr.images.lettering import draw, svg_path
from bakong_khqr.images.symbol import outline, raster
from bakong_khqr.images.typesetting import FontFile

# A card has a white and a red ground, and each has only shades between two colours. So it is drawn in 256 levels, which
# are compressed eight times as fast as true colours. A caller's logo or icon needs true colours.
INK, DIVIDER, PAPER = 0, round(ImageColor.getrgb(GREY)[0] * 127 / 255), 127
PAPER_BY_HEADER, HEADER = 128, 255
PALETTE = [
    *(channel for level in range(128) for channel in (round(level * 255 / 127),) * 3),
    *(round(255 + (red - 255) * level / 127) for level in range(128) for red in ImageColor.getrgb(RED)),
]
COMPRESS_LEVEL = 3
"""It takes half the time of zlib's usual level 6, and the files are a tenth larger."""


def card_png(
    payload: str,
    *,
    merchant_name: str,
    merchant_name_alternate: str | None = None,
    amount_text: str | None = None,
    currency: str,
    width: int = 600,
    logo: Artwork | None = None,
    icon: Artwork | None = None,
    fonts: Sequence[FontFile] = (),
) -> bytes:
    """Return the KHQR card of a payload as a PNG file, `width` pixels wide and 29/20 of that high.

    `merchant_name_alternate` is a second name in another language. `amount_text` is the amount as people write it
    (`"$ 2.50"`, `"៛ 10,000"`), `None` if the payer enters it; the small `currency` follows it. `logo` replaces the word
    "KHQR" in the header, and `icon` is drawn at the centre of the symbol, with 0.18 of its width: both are the path or
    the bytes of a PNG. The pictures of the bank aren't in this package. `fonts` are paths or bytes of more TrueType or
    OpenType fonts, for characters that are neither Latin nor Khmer. A name that is too long becomes smaller, and then
    takes two lines.

    The symbol has error correction M, and its modules have whole pixels. Raises `TypeError` and `ValueError` with the
    argument for a width under 400 (600 with a second name, and more if a module would have less than 3 pixels), a text
    that doesn't fit, a character that no font has, and a picture that isn't a PNG; and `OSError` if a file can't be
    read.
    """
    card = lay_out(
        payload,
        merchant_name=merchant_name,
        merchant_name_alternate=merchant_name_alternate,
        amount_text=amount_text,
        currency=currency,
        width=width,
        fonts=fonts,
    )
    image = Image.new("L", (card.width, card.height), PAPER)
    pencil = ImageDraw.Draw(image)
    pencil.rectangle((0, 0, card.width, card.header - 1), fill=HEADER)
    fold = (card.width - card.fold, card.header, card.width, card.header + card.fold)
    image.paste(PAPER_BY_HEADER, fold)
    image.paste(HEADER, fold, _fold(card.fold))
    for start in range(0, card.width, 2 * card.dash):
        pencil.rectangle((start, card.divider, start + card.dash - 1, card.divider + card.stroke - 1), fill=DIVIDER)
    if logo is None:
        draw(image, card.wordmark, PAPER_BY_HEADER)
    for line in card.lines:
        draw(image, line, INK)
    image.paste(raster(card.symbol, card.module, dark=INK, light=PAPER), (card.symbol_left, card.symbol_top))
    image.putpalette(PALETTE)
    if logo is not None or icon is not None:
        image = image.convert("RGB")
    if logo is not None:
        picture = read(logo, field="logo").fitted(*card.logo_box)
        image.paste(picture, ((card.width - picture.width) // 2, (card.header - picture.height) // 2), picture)
    if icon is not None:
        paste_icon(image, icon, card.symbol_centre, icon_box(len(card.symbol), ICON_SIZE, card.module))
    file = BytesIO()
    image.save(file, "PNG", compress_level=COMPRESS_LEVEL)
    return file.getvalue()


def _fold(side: int) -> Image.Image:
    """Draw the folded corner as a mask: a triangle with its right angle at the top right and a smooth long edge."""
    fine = Image.new("L", (side * 4, side * 4))
    ImageDraw.Draw(fine).polygon([(0, 0), (side * 4, 0), (side * 4, side * 4)], fill=255)
    return fine.resize((side, side), Image.Resampling.BOX)


def card_svg(
    payload: str,
    *,
    merchant_name: str,
    merchant_name_alternate: str | None = None,
    amount_text: str | None = None,
    currency: str,
    width: int = 600,
    logo: Artwork | None = None,
    icon: Artwork | None = None,
    fonts: Sequence[FontFile] = (),
) -> str:
    """Return the KHQR card of a payload as an SVG document. Arguments and errors are those of `card_png`.

    The texts are outlines, so no viewer needs the fonts. The merchant's name is also the title.
    """
    card = lay_out(
        payload,
        merchant_name=merchant_name,
        merchant_name_alternate=merchant_name_alternate,
        amount_text=amount_text,
        currency=currency,
        width=width,
        fonts=fonts,
    )
    right, fold = card.width, card.fold
    size = f'width="{card.width}" height="{card.height}"'
    drawing = (
        f'<rect {size} fill="{WHITE}"/>'
        f'<path fill="{RED}" d="M0 0H{right}V{card.header + fold}L{right - fold} {card.header}H0z"/>'
        f'<path stroke="{GREY}" stroke-width="{card.stroke}" stroke-dasharray="{card.dash}" '
        f'd="M0 {card.divider + card.stroke / 2:g}H{right}"/>'
    )
    if logo is None:
        drawing += svg_path(card.wordmark)
    else:
        wide, high = card.logo_box
        drawing += (
            f'<image x="{(card.width - wide) / 2:g}" y="{(card.header - high) / 2:g}" width="{wide}" height="{high}" '
            f'href="{read(logo, field="logo").data_uri}"/>'
        )
    drawing += "".join(svg_path(line) for line in card.lines)
    symbol = outline(card.symbol, card.symbol_left, card.symbol_top, card.module)
    drawing += f'<path shape-rendering="crispEdges" d="{symbol}"/>'
    if icon is not None:
        drawing += svg_icon(icon, card.symbol_centre, icon_box(len(card.symbol), ICON_SIZE, card.module))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {card.width} {card.height}" role="img">'
        f"<title>KHQR: {escape(merchant_name)}</title>{drawing}</svg>\n"
    )
