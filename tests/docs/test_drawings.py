"""Pages that say what a table in the code says are drawn from it."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "drawing" / "draw.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


draw = load()


@pytest.mark.parametrize("module", draw.MODULES)
def test_a_page_is_as_the_code_has_it(module: str) -> None:
    page = draw.page_of(module).read_text(encoding="utf-8")
    assert draw.drawn(module, page) == page, "run python docs/drawing/draw.py"


def test_the_tutorial_begins_with_the_sample_that_the_picture_is_drawn_from() -> None:
    first_code = draw._module("first_code")
    assert first_code.first_sample(SCRIPT.parents[1] / "tutorial.md") == first_code.first_sample(first_code.HOME)


def test_every_page_with_a_drawing_is_drawn() -> None:
    root = SCRIPT.parents[2]
    pages = {
        page
        for page in (*(root / "docs").rglob("*.md"), *(root / "docs").rglob("*.svg"), *(root / "deploy").glob(".env*"))
        if "<!-- drawn by" in page.read_text(encoding="utf-8")
    }
    assert pages == {draw.page_of(module) for module in draw.MODULES}
