"""Every picture of two hundred codes is read back, by somebody else's decoder, to the exact payload.

CI draws a fifth of the codes, `nox -s fuzz` all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from PIL import Image

from bakong_khqr import KHQR, images
from bakong_khqr.images import card as card_layout
from bakong_khqr.images import symbol
from bakong_khqr.images.modules import modules

pytestmark = pytest.mark.uncounted
ReadBack = Callable[[bytes | Image.Image], Any]
Rasterised = Callable[[str], bytes]


@pytest.fixture(autouse=True, scope="module")
def drawn_once() -> Any:
    """A code's symbol is computed once for all its pictures: choosing its mask is most of the work."""
    once = cache(modules)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(symbol, "modules", once)
        patched.setattr(card_layout, "modules", once)
        yield


@pytest.fixture(scope="module", params=[5, pytest.param(1, marks=pytest.mark.slow)], ids=["a fifth", "all"])
def drawn(request: pytest.FixtureRequest, codes: list[KHQR]) -> list[KHQR]:
    """The codes to draw: of each kind some, because the kinds follow one another."""
    return codes[:: request.param]


def unread(codes: list[KHQR], draw: Any, read_back: ReadBack) -> Any:
    """The payloads whose picture isn't read back to the same text, byte for byte."""
    failures = []
    for code in codes:
        found = read_back(draw(code))
        if found is None or found.text != code.payload or found.bytes != code.payload.encode():
            failures.append(code.payload)
    return failures


def plain(code: Any, pixels: Any, **options: Any) -> Any:
    """The code's PNG at the largest scale that keeps it within so many pixels a side."""
    return images.png(code.payload, scale=pixels // (len(modules(code.payload)) + 8), **options)


def card(draw: Any, code: Any, **options: Any) -> Any:
    """The code's card, the amount written as people do."""
    return draw(
        code.payload,
        merchant_name=code.merchant_name,
        merchant_name_alternate=code.merchant_name_alternate_language,
        amount_text=None if code.amount is None else f"{code.currency.symbol} {code.amount:,}",
        currency=code.currency,
        **options,
    )


def test_the_codes_are_two_hundred_and_khmer_ones_are_among_them(codes: list[KHQR]) -> None:
    assert len({code.payload for code in codes}) == 200
    assert sum(code.merchant_name_alternate_language is not None for code in codes) >= 50
    assert {code.is_static for code in codes} == {True, False}
    assert max(len(code.payload.encode()) for code in codes) > 350


@pytest.mark.parametrize("pixels", [300, 400, 600])
def test_plain_codes_are_read_back(drawn: list[KHQR], read_back: ReadBack, pixels: Any) -> None:
    assert unread(drawn, lambda code: plain(code, pixels), read_back) == []


@pytest.mark.parametrize(("icon_size", "first"), [(0.18, 0), (0.20, 1)])
def test_plain_codes_with_an_icon_are_read_back(
    drawn: list[KHQR], read_back: ReadBack, icon: bytes, icon_size: Any, first: Any
) -> None:
    assert unread(drawn[first::4], lambda code: plain(code, 400, icon=icon, icon_size=icon_size), read_back) == []


def test_plain_svg_codes_are_read_back(drawn: list[KHQR], read_back: ReadBack, rasterised: Rasterised) -> None:
    assert unread(drawn, lambda code: rasterised(images.svg(code.payload, scale=5)), read_back) == []


@pytest.mark.parametrize("with_icon", [False, True])
def test_cards_are_read_back_at_600_pixels(drawn: list[KHQR], read_back: ReadBack, icon: bytes, with_icon: Any) -> None:
    assert unread(drawn, lambda code: card(images.card_png, code, icon=icon if with_icon else None), read_back) == []


@pytest.mark.parametrize("with_icon", [False, True])
def test_cards_without_a_second_name_are_read_back_at_400_pixels(
    drawn: list[KHQR], read_back: ReadBack, icon: bytes, with_icon: Any
) -> None:
    single = [code for code in drawn if code.merchant_name_alternate_language is None]
    assert len(single) > len(drawn) // 3
    options = {"width": 400, "icon": icon if with_icon else None}
    assert unread(single, lambda code: card(images.card_png, code, **options), read_back) == []


@pytest.mark.parametrize("with_icon", [False, True])
def test_svg_cards_are_read_back(
    drawn: list[KHQR],
    read_back: ReadBack,
    rasterised: Rasterised,
    icon: bytes,
    with_icon: Any,
) -> None:
    options = {"icon": icon if with_icon else None}
    assert unread(drawn[with_icon::2], lambda code: rasterised(card(images.card_svg, code, **options)), read_back) == []


def test_what_the_terminal_shows_is_read_back(drawn: list[KHQR], read_back: ReadBack) -> None:
    def photographed(code: Any) -> Any:
        """The half blocks as pixels, six a module."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", images.terminal(code.payload))
        rows = []
        for line in text.splitlines():
            rows.append(bytes(0 if character in "▀█" else 255 for character in line))
            rows.append(bytes(0 if character in "▄█" else 255 for character in line))
        image = Image.frombytes("L", (len(rows[0]), len(rows)), b"".join(rows))
        return image.resize((image.width * 6, image.height * 6), Image.Resampling.NEAREST)

    assert unread(drawn, photographed, read_back) == []
