"""What a plain symbol promises, whichever way it is drawn, and what is refused."""

from __future__ import annotations

import base64
import math
import random
import zlib
from collections.abc import Callable
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bakong_khqr import images
from bakong_khqr.images.artwork import LARGEST_SIDE, read
from bakong_khqr.images.icon import icon_box
from bakong_khqr.images.modules import modules

ReadBack = Callable[[bytes | Image.Image], Any]
Opened = Callable[[bytes], Image.Image]
Rasterised = Callable[[str], bytes]

PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}"


def test_a_png_is_really_a_png(payload: str) -> None:
    """The service that this project took over saved GIF data as .png: nobody could open it."""
    assert images.png(payload).startswith(PNG)


def test_a_usual_code_takes_few_bytes(payload: str) -> None:
    assert len(images.png(payload)) < 3_000
    assert len(images.svg(payload)) < 12_000


def test_the_default_is_level_m_with_a_quiet_zone_of_four_modules_of_ten_pixels(
    payload: str, opened: Opened, read_back: ReadBack
) -> None:
    png = images.png(payload)
    image = opened(png).convert("L")
    side = len(modules(payload))
    assert image.size == ((side + 8) * 10, (side + 8) * 10)
    assert image.point(lambda level: 255 - level).getbbox() == (40, 40, 40 + side * 10, 40 + side * 10)
    assert read_back(png).extra["ECLevel"] == "M"


@pytest.mark.parametrize("level", ["L", "M", "Q", "H"])
def test_the_level_of_error_correction_is_kept_as_asked(payload: str, read_back: ReadBack, level: Any) -> None:
    assert read_back(images.png(payload, error_correction=level)).extra["ECLevel"] == level


@pytest.mark.parametrize("scale", [1, 3, 7])
def test_every_module_is_a_whole_number_of_pixels(payload: str, opened: Opened, scale: int) -> None:
    image = opened(images.png(payload, scale=scale)).convert("L")
    levels = image.tobytes()
    rows = [levels[start : start + image.width] for start in range(0, len(levels), image.width)]
    for row in rows:
        assert all(len(list(run)) % scale == 0 for _, run in groupby(row))
    for column in zip(*rows, strict=True):
        assert all(len(list(run)) % scale == 0 for _, run in groupby(column))


@pytest.mark.parametrize("border", [0, 1, 4, 10])
def test_png_svg_and_terminal_show_the_same_modules(
    payload: str, opened: Opened, rasterised: Rasterised, border: int
) -> None:
    png = opened(images.png(payload, scale=1, border=border)).convert("1")
    assert opened(rasterised(images.svg(payload, scale=1, border=border))).convert("1").tobytes() == png.tobytes()
    lines = images.terminal(payload, border=border).splitlines()
    assert len(lines) == math.ceil(png.height / 2)
    assert all(line.startswith("\x1b[38;5;16;48;5;231m") and line.endswith("\x1b[0m") for line in lines)
    for y, line in enumerate(lines):
        for x, character in enumerate(line.removeprefix("\x1b[38;5;16;48;5;231m").removesuffix("\x1b[0m")):
            lower = 2 * y + 1 < png.height and not png.getpixel((x, 2 * y + 1))
            assert " ▀▄█"[(not png.getpixel((x, 2 * y))) + 2 * lower] == character


def test_an_svg_is_well_formed_and_has_the_size_that_was_asked_for(payload: str) -> None:
    root = ET.fromstring(images.svg(payload, scale=3, border=2))
    side = len(modules(payload)) + 4
    assert root.tag == f"{SVG}svg"
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == (
        f"{side * 3}",
        f"{side * 3}",
        f"0 0 {side} {side}",
    )


def test_a_data_uri_holds_the_very_picture(payload: str) -> None:
    png, svg = images.png(payload), images.svg(payload)
    assert base64.b64decode(images.data_uri(png).removeprefix("data:image/png;base64,")) == png
    assert base64.b64decode(images.data_uri(svg).removeprefix("data:image/svg+xml;base64,")).decode() == svg


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120))
def test_any_text_is_read_back(text: str) -> None:
    with Image.open(BytesIO(images.png(text, scale=4))) as image:
        (found,) = zxingcpp.read_barcodes(image.convert("L"))
    assert found.bytes == text.encode()


@pytest.mark.parametrize("icon_size", [0.05, 0.10, 0.18, 0.20])
@pytest.mark.parametrize("side", range(21, 178, 4))
def test_an_icon_never_hides_more_than_a_fifth_of_the_width_and_cuts_no_module(side: Any, icon_size: Any) -> None:
    box = icon_box(side, icon_size)
    assert box.icon <= side * icon_size
    assert box.icon <= box.ground <= side * 0.20
    assert box.ground % 2 == 1, "an odd number of whole modules is in the middle of an odd number of them"
    assert box.icon == side * icon_size or box.ground + 2 > side * 0.20, "smaller only where it has to be"


@pytest.mark.uncounted
def test_an_icon_stands_in_the_middle_with_its_proportions(payload: str, opened: Opened) -> None:
    red = BytesIO()
    Image.new("RGB", (200, 100), "#FF0000").save(red, "PNG")
    for image in (
        opened(images.png(payload, icon=red.getvalue())),
        opened(images.png(payload, icon=red.getvalue(), icon_size=0.1)),
    ):
        _, green, _ = image.split()
        reds = [
            (x, y)
            for y in range(image.height)
            for x in range(image.width)
            if green.getpixel((x, y)) == 0 and image.getpixel((x, y)) == (255, 0, 0)
        ]
        left, right = min(x for x, _ in reds), max(x for x, _ in reds) + 1
        top, bottom = min(y for _, y in reds), max(y for _, y in reds) + 1
        assert abs((left + right) - image.width) <= 1
        assert abs((top + bottom) - image.height) <= 1
        assert (right - left) == pytest.approx(2 * (bottom - top), abs=2)


def test_an_icon_may_be_a_path_or_bytes(payload: str, icon: bytes, tmp_path: Path) -> None:
    path = tmp_path / "icon.png"
    path.write_bytes(icon)
    assert images.png(payload, icon=path) == images.png(payload, icon=str(path)) == images.png(payload, icon=icon)
    assert images.svg(payload, icon=path) == images.svg(payload, icon=icon)


def jpeg() -> Any:
    file = BytesIO()
    Image.new("RGB", (10, 10)).save(file, "JPEG")
    return file.getvalue()


def huge() -> Any:
    file = BytesIO()
    Image.new("1", (LARGEST_SIDE + 1, 1)).save(file, "PNG")
    return file.getvalue()


def noise() -> Any:
    file = BytesIO()
    Image.effect_noise((64, 64), 100).save(file, "PNG")
    return file.getvalue()


def with_true_checksums(png: bytes) -> Any:
    """Mend the checksum of each chunk, so that damage gets past it."""
    mended, at = png[:8], 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        mended += png[at:end] + zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return mended


def bomb() -> Any:
    """A few bytes that claim to be 65,535 by 65,535 pixels."""
    png = noise()
    return with_true_checksums(png[:16] + b"\0\0\xff\xff" * 2 + png[24:])


@pytest.mark.filterwarnings("ignore:Invalid APNG")
def test_a_garbled_png_is_a_value_error_and_nothing_else() -> None:
    dice = random.Random(1)
    source = noise()
    outcomes = {"drawn": 0, "refused": 0}
    for _ in range(2_000):
        garbled = bytearray(source)
        for _ in range(dice.randrange(1, 4)):  # more often in the head than in the pixels
            garbled[dice.randrange(8, len(garbled) if dice.random() < 0.5 else 60)] = dice.randrange(256)
        png = bytes(garbled) if dice.random() < 0.7 else bytes(garbled[: dice.randrange(8, len(source))])
        try:
            read(with_true_checksums(png) if dice.random() < 0.8 else png, field="icon")
        except ValueError:
            outcomes["refused"] += 1
        else:
            outcomes["drawn"] += 1
    assert min(outcomes.values()) > 20, outcomes


@pytest.mark.parametrize("draw", [images.png, images.svg])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scale": 0}, ValueError, "scale: 0 is less than 1"),
        ({"scale": 2.5}, TypeError, "scale: expected a whole number (int), got float"),
        ({"scale": True}, TypeError, "scale: expected a whole number (int), got bool"),
        ({"scale": 10_000}, ValueError, "the most is 10000"),
        ({"border": -1}, ValueError, "border: -1 is less than 0"),
        ({"border": "4"}, TypeError, "border: expected a whole number (int), got str"),
        ({"error_correction": "m"}, ValueError, "error_correction: 'm' isn't one of L, M, Q, H"),
        ({"error_correction": None}, ValueError, "error_correction: None isn't one of L, M, Q, H"),
        ({"icon": "ICON", "icon_size": 0.21}, ValueError, "icon_size: 0.21 of the symbol's width"),
        ({"icon": "ICON", "icon_size": 0}, ValueError, "icon_size: 0 of the symbol's width"),
        ({"icon": "ICON", "icon_size": math.nan}, ValueError, "icon_size: nan of the symbol's width"),
        ({"icon": "ICON", "error_correction": "L"}, ValueError, "error_correction: level L"),
        ({"icon": 7}, TypeError, "icon: expected the path or the bytes of a PNG, got int"),
        ({"icon": b""}, ValueError, "icon: this is not a PNG picture (0 bytes)"),
        ({"icon": jpeg()}, ValueError, "icon: this is not a PNG picture"),
        ({"icon": huge()}, ValueError, "icon: the picture has 4097 x 1 pixels"),
        ({"icon": bomb()}, ValueError, "icon: the picture has 65535 x 65535 pixels"),
        ({"icon": noise()[:300]}, ValueError, "icon: the PNG picture is damaged"),
        ({"icon": "no/such/file.png"}, FileNotFoundError, "file.png"),
    ],
)
def test_what_can_not_be_drawn_is_refused_by_name(
    payload: str, icon: bytes, draw: Any, options: Any, error: Any, message: str
) -> None:
    if options.get("icon") == "ICON":
        options = {**options, "icon": icon}
    with pytest.raises(error) as raised:
        draw(payload, **options)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ValueError, "payload: it is empty"),
        (b"0002", TypeError, "payload: expected the text of a code (str), got bytes"),
        (None, TypeError, "payload: expected the text of a code (str), got NoneType"),
        ("ab\ud800", ValueError, "payload: the character at offset 2 can't be written in UTF-8"),
        ("x" * 3_000, ValueError, "payload: 3000 bytes are more than a QR symbol with error correction M holds"),
        ("1" * 10_000_000, ValueError, "payload: 10000000 bytes are more than a QR symbol"),
    ],
)
@pytest.mark.parametrize("draw", [images.png, images.svg, images.terminal])
def test_what_is_no_payload_is_refused(draw: Any, text: str, error: Any, message: str) -> None:
    with pytest.raises(error) as raised:
        draw(text)
    assert message in str(raised.value)
