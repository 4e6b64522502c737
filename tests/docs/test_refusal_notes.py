"""The page for support desks names every note that a payload may get."""

import re
from pathlib import Path

from bakong_khqr.diagnosis import _notices as notices
from bakong_khqr.payload._copying import SLIPS

ROOT = Path(__file__).parents[2]


def test_every_note_is_on_the_page() -> None:
    made = set(re.findall(r'Notice\(\s*"(\w+)"', Path(notices.__file__).read_text(encoding="utf-8")))
    page = (ROOT / "docs" / "why-is-my-khqr-refused.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(\w+)` \|", page.partition("## Notes")[2], re.MULTILINE))
    assert told == made | set(SLIPS)
