"""The fonts may be shipped, and the wheel stays small."""

from __future__ import annotations

from importlib import resources
from typing import Any

import bakong_khqr
from bakong_khqr.images.typesetting import BUNDLED

ASSETS = resources.files("bakong_khqr.images") / "assets"


def test_every_font_in_the_wheel_is_used_and_has_its_free_licence_beside_it() -> None:
    names = {entry.name for entry in ASSETS.iterdir()}
    fonts = {name for name in names if name.endswith(".ttf")}
    assert fonts == {font for weight in BUNDLED.values() for font in weight}
    for font in fonts:
        licence = (ASSETS / f"OFL-{font.rsplit('-', 1)[0]}.txt").read_text(encoding="utf-8")
        assert "SIL OPEN FONT LICENSE Version 1.1" in licence
        assert licence.startswith("Copyright")


def test_the_package_is_under_two_megabytes() -> None:
    def size(folder: Any) -> Any:
        return sum(
            size(entry) if entry.is_dir() else len(entry.read_bytes())
            for entry in folder.iterdir()
            if entry.name != "__pycache__"
        )

    assert size(resources.files(bakong_khqr)) < 2_000_000
