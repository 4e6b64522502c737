"""The card: its proportions in pixels, its texts within their margins, the same in PNG and SVG, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image, ImageChops, ImageStat

from bakong_khqr import images
from bakong_khqr.images import card
from bakong_khqr.images.lettering import draw
from bakong_khqr.images.modules import modules
from bakong_khqr.images.typesetting import bundled_fonts

ReadBack = Callable[[bytes | Image.Image], Any]
Opened = Callable[[bytes], Image.Image]
Rasterised = Callable[[str], bytes]

RED = (0xE1, 0x23, 0x2E)
WHITE = (255, 255, 255)
TEXTS: dict[str, Any] = {"merchant_name": "Sokha Coffee", "amount_text": "$ 2.50", "currency": "USD"}
KHMER: dict[str, Any] = {
    "merchant_name": "Sokha Coffee & Bakery <1>",
    "merchant_name_alternate": "ក្រុមហ៊ុនខ្ញុំស្រឡាញ់ភ្នំ",
    "amount_text": "៛ 10,000",
    "currency": "KHR",
}


def dark(image: Image.Image, box: tuple[int, int, int, int]) -> Any:
    """The bounds of what is nearly black within a box, in the whole image's pixels."""
    found = image.crop(box).convert("L").point(lambda level: 255 * (level < 60)).getbbox()
    return found and (found[0] + box[0], found[1] + box[1], found[2] + box[0], found[3] + box[1])


@pytest.mark.parametrize("width", [400, 600, 601, 1000])
def test_the_card_has_the_proportions_of_a_khqr_card(payload: str, opened: Opened, width: int) -> None:
    image = opened(images.card_png(payload, **TEXTS, width=width))
    height = round(width * 29 / 20)
    assert image.size == (width, height)

    header = round(height * 0.12)
    assert {image.getpixel((2, 0)), image.getpixel((2, header - 1)), image.getpixel((width - 1, header + 2))} == {RED}
    assert {image.getpixel((2, header)), image.getpixel((width // 2, header)), image.getpixel((2, height - 1))} == {
        WHITE
    }
    fold = round(height * 0.055)
    assert image.getpixel((width - 2, header + fold - 5)) == RED
    assert image.getpixel((width - 2, header + fold + 1)) == WHITE
    assert image.getpixel((width - fold + 1, header + 5)) == WHITE, "the corner is folded: cut at 45 degrees"

    left, top, right, bottom = dark(image, (0, round(height * 0.4), width, height))
    assert abs((left + right) - width) <= 2
    assert right - left <= 0.71 * width
    assert left >= 0.1 * height - 1
    assert height - bottom >= 0.08 * height - 1
    side = len(modules(payload))
    assert (right - left) % side == 0 == (bottom - top) % side, "whole pixels a module"
    module = (right - left) // side
    assert (side * (module + 1)) > 0.71 * width - 1, "the largest module that fits"
    assert dark(image, (left - 4 * module, top - 4 * module, left, bottom + 4 * module)) is None, "quiet zone"


def test_a_dashed_line_divides_the_texts_from_the_symbol(payload: str, opened: Opened) -> None:
    image = opened(images.card_png(payload, **TEXTS))
    top = dark(image, (0, 340, 600, 870))[1]
    lines = [y for y in range(250, top) if image.getpixel((0, y)) != WHITE]
    assert lines
    dashes = [image.getpixel((x, lines[0])) for x in range(600)]
    assert set(dashes) == {WHITE, (0xB1, 0xB1, 0xB1)}
    assert 0.4 < dashes.count(WHITE) / 600 < 0.6


def test_the_letters_have_the_sizes_of_a_khqr_card(payload: str) -> None:
    layout = card.lay_out(payload, **TEXTS, merchant_name_alternate=None, width=600, fonts=())
    name, amount, currency = layout.lines
    assert (name.size, amount.size, currency.size) == pytest.approx((870 * 0.03, 870 * 0.065, 870 * 0.03))
    assert amount.line.glyphs[0].font == bundled_fonts("bold")[0]
    assert name.x == amount.x, "names and amount begin at the same left edge"
    assert amount.baseline == currency.baseline


def test_a_card_without_an_amount_shows_the_currency_alone(payload: str) -> None:
    layout = card.lay_out(
        payload,
        merchant_name="Sokha",
        merchant_name_alternate=None,
        amount_text=None,
        currency="KHR",
        width=600,
        fonts=(),
    )
    assert [len(line.line.glyphs) for line in layout.lines] == [5, 3]


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        KHMER,
        {"merchant_name": "W" * 25, "currency": "USD"},
        {
            "merchant_name": "WWWWWWWWWWWW WWWWWWWWWWWW",
            "merchant_name_alternate": "W" * 25,
            "amount_text": "$ 0.01",
            "currency": "USD",
        },
        {"merchant_name": "ស្ត្រីស្ត្រីស្ត្រីស្ត្រី", "merchant_name_alternate": "ឈ្មោះឈ្មោះឈ្មោះឈ្មោះ", "currency": "KHR"},
        {"merchant_name": "x", "amount_text": "៛ 9,999,999,999,999", "currency": "KHR"},
        {"merchant_name": "Ậ̃" * 8 + "g", "amount_text": "$ 9,999,999,999.99", "currency": "USD"},
    ],
)
def test_texts_stay_between_header_margins_and_line(payload: str, opened: Opened, texts: Any) -> None:
    image = opened(images.card_png(payload, **texts))
    bounds = dark(image, (0, 0, 600, 300))
    assert bounds is not None
    left, top, right, bottom = bounds
    assert left >= 87 - 3, "a letter may begin a hair before its place"
    assert right <= 600 - 87 + 3
    assert top > 104
    assert bottom < 300


def test_the_lines_of_a_full_card_do_not_touch(payload: str) -> None:
    layout = card.lay_out(payload, **{**KHMER, "merchant_name": "Sokha Çoffee & Bąkery, Gjoșp"}, width=600, fonts=())
    inked = []
    for line in layout.lines[:-1]:  # the last one, the currency, is on the amount's line
        page = Image.new("L", (600, 870), 255)
        draw(page, line, 0)
        box = page.point(lambda level: 255 - level).getbbox()
        assert box is not None
        _, top, _, bottom = box
        inked.append((top, bottom))
    assert len(inked) == 3
    assert all(upper[1] < lower[0] for upper, lower in pairwise(inked)), inked


@pytest.mark.parametrize("texts", [TEXTS, KHMER, {"merchant_name": "ហាង Sokha Café", "currency": "KHR"}])
@pytest.mark.parametrize("with_pictures", [False, True])
def test_png_and_svg_show_the_same_card(
    payload: str,
    opened: Opened,
    rasterised: Rasterised,
    icon: bytes,
    logo: bytes,
    texts: Any,
    with_pictures: Any,
) -> None:
    options = {**texts, **({"icon": icon, "logo": logo} if with_pictures else {})}
    png = opened(images.card_png(payload, **options))
    svg = opened(rasterised(images.card_svg(payload, **options)))
    assert png.size == svg.size
    difference = ImageChops.difference(png, svg).convert("L")
    assert ImageStat.Stat(difference).mean[0] < 0.5
    # Nothing but the edges of letters and pictures differs: three pixels in a row are never all off.
    extrema: Any = difference.point(lambda level: 255 * (level > 100)).reduce(3).getextrema()
    assert extrema[1] < 255


def test_an_svg_card_is_well_formed_titled_and_needs_no_font(payload: str) -> None:
    root = ET.fromstring(images.card_svg(payload, **KHMER, width=700))
    assert (root.get("width"), root.get("height")) == ("700", "1015")
    title, *drawing = root
    assert title.text == "KHQR: Sokha Coffee & Bakery <1>"
    assert {element.tag.rpartition("}")[2] for element in drawing} == {"rect", "path"}


def test_a_logo_takes_the_place_of_the_plain_word(payload: str, opened: Opened, logo: bytes) -> None:
    plain = opened(images.card_png(payload, **TEXTS))
    branded = opened(images.card_png(payload, **TEXTS, logo=logo))
    header = (0, 0, 600, 104)
    colours = [one.crop(header).getcolors(1000) for one in (plain, branded)]
    assert colours[0] is not None
    assert colours[1] is not None
    assert {colour for _, colour in colours[0]} >= {RED, WHITE}
    assert {colour for _, colour in colours[1]} == {RED, (0, 255, 0)}
    greens = branded.crop(header).getchannel("R").point(lambda level: 255 * (level == 0)).getbbox()
    assert greens is not None
    width, height = greens[2] - greens[0], greens[3] - greens[1]
    assert width == pytest.approx(4 * height, abs=4), "its proportions are kept"
    assert abs(greens[0] + greens[2] - 600) <= 1
    assert abs(greens[1] + greens[3] - 104) <= 1
    assert plain.crop((0, 104, 600, 870)).tobytes() == branded.crop((0, 104, 600, 870)).tobytes()


def test_khmer_needs_nothing_of_the_system(payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow shapes Khmer only where the system has FriBiDi; a card is right without it."""
    from PIL import features

    with_it = images.card_png(payload, **KHMER)
    monkeypatch.setattr(features, "check", lambda _: False)
    monkeypatch.setattr("PIL.ImageFont.core", None)
    assert images.card_png(payload, **KHMER) == with_it


def test_cards_drawn_by_many_threads_at_once_are_all_right(payload: str) -> None:
    expected = images.card_png(payload, **KHMER), images.card_svg(payload, **KHMER)
    with ThreadPoolExecutor(8) as threads:
        drawn = list(
            threads.map(lambda _: (images.card_png(payload, **KHMER), images.card_svg(payload, **KHMER)), range(16))
        )
    assert drawn == [expected] * 16


def test_a_callers_font_brings_the_letters_that_ours_lack(payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    latin, _ = bundled_fonts("regular")
    assets = card.__file__.replace("card.py", "assets")
    monkeypatch.setattr(card, "bundled_fonts", lambda _: (latin,))
    with pytest.raises(ValueError, match="merchant_name_alternate: no font has the character 'ក'"):
        images.card_svg(payload, **{**KHMER, "amount_text": None})
    assert images.card_svg(payload, **KHMER, fonts=[f"{assets}/noto-sans-khmer-400.ttf"]).startswith("<svg")


@pytest.mark.parametrize("draw_card", [images.card_png, images.card_svg])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"width": 399},
            ValueError,
            "width: 399 pixels are too few, because phones can't read it; a card needs at least 400",
        ),
        (
            {"width": 599, "merchant_name_alternate": "ហាង"},
            ValueError,
            "a card with a name in a second language needs at least 600",
        ),
        ({"width": 5_001}, ValueError, "width: 5001 pixels; the most is 5000"),
        ({"width": 600.0}, TypeError, "width: expected a whole number of pixels (int), got float"),
        ({"merchant_name": ""}, ValueError, "merchant_name: it is blank"),
        ({"merchant_name": None}, TypeError, "merchant_name: expected text (str), got NoneType"),
        ({"merchant_name_alternate": " "}, ValueError, "merchant_name_alternate: it is blank"),
        ({"merchant_name": "老王"}, ValueError, "merchant_name: no font has the character '老' (U+8001) at offset 0"),
        ({"merchant_name": "a\nb"}, ValueError, "merchant_name: '\\n' at offset 1 is a control character"),
        ({"amount_text": ""}, ValueError, "amount_text: it is blank"),
        ({"currency": ""}, ValueError, "currency: it is blank"),
        ({"logo": b"GIF89a"}, ValueError, "logo: this is not a PNG picture (6 bytes)"),
        ({"icon": b"GIF89a"}, ValueError, "icon: this is not a PNG picture (6 bytes)"),
        ({"fonts": [b"\0\1\0\0"]}, ValueError, "fonts: this is not a TrueType or OpenType font (4 bytes)"),
    ],
)
def test_what_can_not_be_drawn_is_refused_by_name(
    payload: str, draw_card: Any, options: Any, error: Any, message: str
) -> None:
    with pytest.raises(error) as raised:
        draw_card(payload, **{**TEXTS, **options})
    assert message in str(raised.value)


@pytest.mark.uncounted
@pytest.mark.parametrize("length", [200, 300, 512, 900, 1500, 2300])
def test_the_least_width_that_an_error_names_is_enough_and_no_less_would_be(
    length: Any, opened: Opened, read_back: ReadBack
) -> None:
    """The least is what leaves three pixels a module, however long the payload is."""
    payload = "khqr" * (length // 4)
    side = len(modules(payload))
    with pytest.raises(ValueError, match=r"needs at least \d+$") as raised:
        images.card_png(payload, **TEXTS, width=1)
    least = int(str(raised.value).rpartition(" ")[2])
    png = images.card_png(payload, **TEXTS, width=least)
    image = opened(png)
    left, _, right, _ = dark(image, (0, round(image.height * 0.4), image.width, image.height))
    assert (right - left) // side >= 3
    assert read_back(png).text == payload
    with pytest.raises(ValueError, match=f"needs at least {least}$"):
        images.card_png(payload, **TEXTS, width=least - 1)
    assert least == 400 or (least - 1) * 0.71 < 3 * side
