"""Codes to draw, and an independent pair of eyes: zxing-cpp reads pictures, resvg turns SVG into pixels."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
import resvg_py
import zxingcpp
from PIL import Image, ImageDraw

from bakong_khqr import KHQR

NAMES = ["Sokha Coffee", "Café Ångström", "Phở Nguyễn", "7-Eleven & Sons <Ltd>", "W" * 25, "x", "Łódź Bäckerei 100%"]
KHMER_NAMES = ["ហាងកាហ្វេ សុខា", "ផ្សារធំថ្មី", "ក្រុមហ៊ុន អង្គរ", "ស្ត្រីខ្មែរ", "ហាង Sokha ១២៣", "ខ្ញុំស្រឡាញ់ភ្នំពេញ"]
KHMER_CITIES = ["ភ្នំពេញ", "សៀមរាប", "បាត់ដំបង"]
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def generated(seed: int) -> KHQR:
    """A code as a merchant might make one. Every fourth is as full as it gets, with a second name in Khmer."""
    dice = random.Random(seed)
    full = seed % 4 == 0

    def maybe(value: str) -> str | None:
        return value if full or dice.random() < 0.4 else None

    currency = dice.choice(["USD", "KHR"])
    amount: int | str | None = dice.choice([None, dice.randrange(1, 10_000_000), 9_999_999_999_999 if full else 1])
    if currency == "USD" and isinstance(amount, int) and len(str(amount)) < 11:
        amount = f"{amount // 100}.{amount % 100:02d}"
    khmer = full or dice.random() < 0.2
    fields: dict[str, Any] = {
        "bakong_account_id": f"{dice.choice(['sokha', 'dara_shop', 'a' * 20])}@{dice.choice(['aclb', 'abaa', 'wing'])}",
        "merchant_name": dice.choice(KHMER_NAMES if dice.random() < 0.2 else NAMES),
        "merchant_city": dice.choice(["Phnom Penh", "Siem Reap", KHMER_CITIES[0]]),
        "currency": currency,
        "amount": amount,
        "bill_number": maybe(f"INV-{dice.randrange(10**9)}"),
        "mobile_number": maybe(f"855{dice.randrange(10**8, 10**9)}"),
        "store_label": maybe(dice.choice(NAMES[:3])),
        "terminal_label": maybe(f"T{dice.randrange(1000)}"),
        "language_preference": "km" if khmer else None,
        "merchant_name_alternate_language": dice.choice(KHMER_NAMES) if khmer else None,
        "merchant_city_alternate_language": dice.choice(KHMER_CITIES) if khmer else None,
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=10),
    }
    if dice.random() < 0.5:
        return KHQR.merchant(**fields, merchant_id=str(dice.randrange(10**6)), acquiring_bank="Dev Bank")
    return KHQR.individual(**fields, acquiring_bank=maybe("Acleda"))


@pytest.fixture(scope="session")
def codes() -> list[KHQR]:
    """Two hundred codes, the same in every run."""
    return [generated(seed) for seed in range(200)]


@pytest.fixture(scope="session")
def payload() -> str:
    """A usual dynamic code for an individual."""
    return KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="Sokha Coffee",
        currency="USD",
        amount="2.50",
        bill_number="INV-0042",
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    ).payload


@pytest.fixture(scope="session")
def opened() -> Callable[[bytes], Image.Image]:
    """PNG bytes as pixels; anything but a PNG is an error."""

    def open_png(png: bytes) -> Image.Image:
        with Image.open(BytesIO(png), formats=["PNG"]) as image:
            return image.convert("RGB")

    return open_png


@pytest.fixture(scope="session")
def read_back() -> Callable[[bytes | Image.Image], zxingcpp.Barcode | None]:
    """The one QR symbol that zxing-cpp sees in a PNG or in pixels, or None. It reads shades of grey."""

    def read(picture: bytes | Image.Image) -> zxingcpp.Barcode | None:
        image = Image.open(BytesIO(picture), formats=["PNG"]) if isinstance(picture, bytes) else picture
        found = zxingcpp.read_barcodes(
            image.convert("L"), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        )
        return found[0] if len(found) == 1 else None

    return read


@pytest.fixture(scope="session")
def rasterised() -> Callable[[str], bytes]:
    """An SVG document as a PNG in its own size, drawn where there are no fonts."""
    return lambda svg: bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True))


def png_of(image: Image.Image) -> bytes:
    """Save a picture as PNG."""
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def icon() -> bytes:
    """A round black icon, its corners transparent."""
    image = Image.new("RGBA", (96, 96))
    ImageDraw.Draw(image).ellipse((0, 0, 95, 95), fill="black")
    return png_of(image)


@pytest.fixture(scope="session")
def logo() -> bytes:
    """A wide green logo."""
    return png_of(Image.new("RGB", (400, 100), "#00FF00"))
