"""The page for support desks says what the code says."""

import importlib.util
import re
from pathlib import Path

from bakong_khqr import notices

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "refusal_table.py"


def test_the_table_of_refusals_is_drawn_from_the_code() -> None:
    spec = importlib.util.spec_from_file_location("refusal_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.drawn(page) == page, "run python docs/refusal_table.py"


def test_every_note_is_on_the_page() -> None:
    made = set(re.findall(r'Notice\(\s*"(\w+)"', Path(notices.__file__).read_text(encoding="utf-8")))
    page = (ROOT / "docs" / "why-is-my-khqr-refused.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(\w+)` \|", page.partition("## Notes")[2], re.MULTILINE))
    assert told == made
