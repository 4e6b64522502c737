"""Every file of the tree is named for one idea, and no function is longer than a page. Import contracts see neither."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFUSED = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "data", "info", "stuff", "tools"}
STANDARD_LIBRARY_ROOMS = {"json", "types", "typing", "email", "queue", "select", "token", "calendar", "code"}
FOLDERS = ("src", "tests", "examples", "benchmarks", "docs", "deploy")
LONGEST_FUNCTION = 60  # lines


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


def long_functions(path: Path, source: str) -> list[str]:
    functions = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return [f"{path}:{n.lineno} {n.name}" for n in functions if (n.end_lineno or 0) - n.lineno + 1 > LONGEST_FUNCTION]


def test_no_function_of_the_sources_is_longer_than_a_page() -> None:
    sources = sorted((ROOT / "src").rglob("*.py"))
    assert [each for p in sources for each in long_functions(p, p.read_text("utf-8"))] == []


@pytest.mark.parametrize(("lines", "expected"), [(LONGEST_FUNCTION, []), (LONGEST_FUNCTION + 1, ["a.py:1 f"])])
def test_a_function_is_counted_with_its_first_and_last_line(lines: int, expected: list[str]) -> None:
    assert long_functions(Path("a.py"), "def f():\n" + "    pass\n" * (lines - 1)) == expected
