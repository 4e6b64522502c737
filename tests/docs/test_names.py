"""Every file of the tree is named for one idea. An import contract can't see a name, so this does."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFUSED = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "data", "info", "stuff", "tools"}
STANDARD_LIBRARY_ROOMS = {"json", "types", "typing", "email", "http", "queue", "select", "token", "calendar", "code"}
FOLDERS = ("src", "tests", "examples", "benchmarks", "docs", "deploy")


def python_files() -> list[Path]:
    return [p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py") if "node_modules" not in p.parts]


def badly_named(paths: list[Path]) -> list[str]:
    return [str(p.relative_to(ROOT)) for p in paths if p.stem in REFUSED or REFUSED & set(p.relative_to(ROOT).parts)]


def test_no_file_is_named_for_nothing() -> None:
    assert badly_named(python_files()) == []


@pytest.mark.parametrize("folder", ["src/bakong_khqr/api", "src/bakong_service/web", "tests/sdk"])
def test_a_file_named_utils_anywhere_would_be_refused(folder: str) -> None:
    assert badly_named([ROOT / folder / "utils.py"]) == [f"{folder}/utils.py"]


def test_no_room_is_named_after_a_module_of_the_standard_library() -> None:
    rooms = [p for p in (ROOT / "src").rglob("*") if p.is_dir() and (p / "__init__.py").exists()]
    assert [p.name for p in rooms if p.name in STANDARD_LIBRARY_ROOMS] == []
