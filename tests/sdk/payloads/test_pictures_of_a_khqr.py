"""A `KHQR` draws itself: its own payload and texts, into bytes, text or a file that is never half written."""

import base64
import inspect
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from bakong_khqr import KHQR, CardOptions, PictureOptions, images
from bakong_khqr._whole_file import write_file


def read(path: Path) -> str:
    with Image.open(path) as image:
        return zxingcpp.read_barcodes(image)[0].text


def test_a_symbol_is_returned_and_written(static: KHQR, tmp_path: Path) -> None:
    assert static.to_png(tmp_path / "qr.png") == (tmp_path / "qr.png").read_bytes() == images.png(static.payload)
    assert read(tmp_path / "qr.png") == static.payload
    assert static.to_svg(tmp_path / "qr.svg") == (tmp_path / "qr.svg").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["qr.png", "qr.svg"]


def test_options_reach_the_picture(static: KHQR) -> None:
    assert static.to_png(scale=3, border=1, error_correction="Q") == images.png(
        static.payload, scale=3, border=1, error_correction="Q"
    )
    assert static.to_svg(scale=3, border=1) == images.svg(static.payload, scale=3, border=1)
    icon = images.png("an icon", scale=1)
    small = images.png(static.payload, icon=icon, icon_size=0.1)
    assert static.to_png(icon=icon, icon_size=0.1) == small != static.to_png(icon=icon)
    assert static.to_svg(icon=icon, icon_size=0.1) == images.svg(static.payload, icon=icon, icon_size=0.1)
    assert base64.b64decode(static.to_data_uri("png", icon=icon, icon_size=0.1).partition(",")[2]) == small
    assert static.to_terminal(border=2) == images.terminal(static.payload, border=2)


def defaults(draw: Any) -> dict[str, Any]:
    """The optional arguments of a function that draws, without the texts and pictures that a code or a caller gives."""
    given = {"icon", "logo", "fonts", "amount_text", "merchant_name_alternate"}
    parameters = inspect.signature(draw).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty and each.name not in given}


def test_png_and_svg_take_the_declared_options_with_the_same_defaults() -> None:
    assert defaults(images.png) == defaults(images.svg)
    assert defaults(images.png).keys() == PictureOptions.__annotations__.keys()
    assert defaults(images.card_png) == defaults(images.card_svg)
    assert defaults(images.card_png).keys() == CardOptions.__annotations__.keys()


@pytest.mark.parametrize(
    ("draw", "option"),
    [
        ("to_png", "scale"), ("to_png", "border"), ("to_svg", "scale"), ("to_terminal", "border"), ("to_card", "width"),
        ("to_png", "icon_size"), ("to_png", "error_correction"), ("to_card", "format"), ("to_data_uri", "format"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["large", "negative"])
def test_a_number_too_large_to_be_written_is_named_with_its_option(
    static: KHQR, draw: str, option: str, number: int
) -> None:
    icon = {"icon": images.png("an icon", scale=1)} if option == "icon_size" else {}
    with pytest.raises(ValueError, match=rf"^(scale|{option}).* an int of [0-9]+ bits"):
        getattr(static, draw)(**icon, **{option: number})


def test_a_data_uri_holds_the_picture(static: KHQR) -> None:
    png, svg = static.to_data_uri(), static.to_data_uri("svg", scale=2)
    assert base64.b64decode(png.removeprefix("data:image/png;base64,")) == static.to_png()
    assert base64.b64decode(svg.removeprefix("data:image/svg+xml;base64,")).decode() == static.to_svg(scale=2)
    with pytest.raises(ValueError, match="format 'gif'"):
        static.to_data_uri("gif")  # type: ignore[arg-type]  # that is what is refused


def test_a_card_shows_the_codes_own_name_and_amount(dynamic: KHQR, tmp_path: Path) -> None:
    card = dynamic.to_card(tmp_path / "card.png", width=900)
    assert card == (tmp_path / "card.png").read_bytes()
    assert card == images.card_png(
        dynamic.payload,
        merchant_name="Sokha Coffee",
        merchant_name_alternate="សុខាកាហ្វេ",
        amount_text="$ 2.50",
        currency="USD",
        width=900,
    )
    assert read(tmp_path / "card.png") == dynamic.payload
    svg = dynamic.to_card(tmp_path / "card.svg", format="svg", width=900)
    assert svg == (tmp_path / "card.svg").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="format 'gif'"):
        dynamic.to_card(format="gif")  # type: ignore[call-overload]  # that is what is refused


def test_a_file_is_written_whole_or_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "qr.png"
    write_file(target, b"before")

    def full_disk(path: Path, target: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_file(target, b"after")
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        received = reader.submit(pipe.read_bytes)
        write_file(pipe, b"a picture")
        assert received.result(timeout=10) == b"a picture"
    assert pipe.is_fifo()


def test_a_file_in_no_folder_is_an_error(static: KHQR, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        static.to_png(tmp_path / "nowhere" / "qr.png")
    assert str(caught.value).endswith(f"{str(tmp_path / 'nowhere' / 'qr.png')!r}")
