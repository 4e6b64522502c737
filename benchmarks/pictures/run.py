"""How long a picture takes here, beside the package `bakong-khqr` on the public index. One command, one table:

    python benchmarks/pictures/run.py

The other package has our import name, so it runs in an environment of its own, which this makes in a temporary folder.
Both draw the same dynamic code for an individual, on one thread, warm; a figure is the median of five loops.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

LOOPS = 5
SECONDS_A_LOOP = 1.0

OURS = "bakong-khqr-sdk"
INCUMBENT = "bakong-khqr"


def measured(draw: Callable[[], str | bytes]) -> dict[str, float]:
    """Milliseconds a call, the median of five loops of a second, and how many bytes came out."""
    result = draw()
    figures = []
    for _ in range(LOOPS):
        calls, begin = 0, time.perf_counter()
        while (spent := time.perf_counter() - begin) < SECONDS_A_LOOP:
            draw()
            calls += 1
        figures.append(spent / calls * 1000)
    size = len(result.encode() if isinstance(result, str) else result)
    return {"ms": statistics.median(figures), "bytes": size}


def ours(payload: str) -> dict[str, dict[str, float]]:
    """Every picture this package makes of the payload, and what a card is made of."""
    from PIL import Image

    from bakong_khqr import KHQR
    from bakong_khqr.images.modules import modules

    khqr = KHQR.decode(payload)
    icon = Path(__file__).with_name("icon.png")
    Image.new("RGB", (64, 64), "#E1232E").save(icon)
    try:
        return {
            "the symbol alone, no picture": measured(lambda: b"".join(map(bytes, modules(payload)))),
            "plain PNG": measured(khqr.to_png),
            "plain SVG": measured(khqr.to_svg),
            "terminal": measured(khqr.to_terminal),
            "card PNG, 600 px": measured(khqr.to_card),
            "card PNG, 600 px, with an icon": measured(lambda: khqr.to_card(icon=icon)),
            "card SVG": measured(lambda: khqr.to_card(format="svg")),
        }
    finally:
        icon.unlink()


def incumbent(payload: str) -> dict[str, dict[str, float]]:
    """The card of the other package, its only picture: 300 by 450 pixels."""
    khqr = import_module("bakong_khqr").KHQR("")  # a type checker would look into our package of this name
    return {"card PNG, 300 px": measured(lambda: khqr.qr_image(payload, format="bytes"))}


def payload() -> str:
    """A usual code: ten dollars fifty, a bill number, a phone, a store and a terminal."""
    from bakong_khqr import KHQR

    now = datetime.now(UTC)
    return KHQR.individual(
        bakong_account_id="sokha_coffee@aclb",
        merchant_name="Sokha Coffee",
        currency="USD",
        amount="10.50",
        bill_number="INV-0042",
        mobile_number="85512345678",
        store_label="Sokha Coffee",
        terminal_label="T-01",
        created_at=now,
        expires_at=now + timedelta(minutes=10),
    ).payload


def in_its_own_environment(text: str) -> dict[str, dict[str, float]]:
    """Install the other package beside its own Pillow and qrcode, and measure it there."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{INCUMBENT}[image]"], check=True)
        done = subprocess.run(
            [python, __file__, INCUMBENT, text], check=True, capture_output=True, text=True, cwd=folder
        )
    figures: dict[str, dict[str, float]] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure both and print the table."""
    if sys.argv[1:2] == [INCUMBENT]:
        print(json.dumps(incumbent(sys.argv[2])))
        return
    text = payload()
    print(f"{len(text)} characters; median of {LOOPS} loops of {SECONDS_A_LOOP:g} s, one thread\n")
    print("| package | picture | ms | bytes |\n|---|---|---:|---:|")
    for name, figures in ((INCUMBENT, in_its_own_environment(text)), (OURS, ours(text))):
        for picture, figure in figures.items():
            print(f"| {name} | {picture} | {figure['ms']:.2f} | {figure['bytes']:,} |")


if __name__ == "__main__":
    main()
