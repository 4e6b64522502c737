"""The pages of settings and of the API say what the code does."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "service"


@pytest.mark.parametrize("name", ["settings_table", "api_table"])
def test_a_page_is_drawn_from_the_code(name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.drawn(page) == page, f"run python docs/service/{name}.py"
