"""The reference page shows every public name of the SDK, and each of their attributes says what it is."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import bakong_khqr
from bakong_khqr import ErrorCode

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
ROOMS = ("bakong_khqr.emv", "bakong_khqr.images", "bakong_khqr.api", "bakong_khqr.doctor", "bakong_khqr.testing")


def on_the_page() -> set[str]:
    return set(re.findall(r"^::: ([\w.]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def public_classes() -> dict[str, type]:
    """Every class that the page shows. What a switch of the simulator does stands in its metadata, for the docs too."""
    found = {}
    for room in ("bakong_khqr", *ROOMS):
        module = import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and value.__module__.startswith("bakong_khqr") and name != "Switches":
                found[f"{room}.{name}"] = value
    return found


CLASSES = public_classes()


def undocumented(of: type) -> set[str]:
    """Return the public attributes and methods of a class that have no docstring, here or in a class above."""
    missing: set[str] = set()
    described: set[str] = set()
    for one in of.__mro__:
        if not one.__module__.startswith("bakong_khqr"):
            continue
        for statement, after in _statements(one):
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                names = {statement.name}
                has_docstring = ast.get_docstring(statement) is not None
            else:
                names = set(_assigned(statement))
                has_docstring = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            (described if has_docstring else missing).update(name for name in names if not name.startswith("_"))
    return missing - described


def _statements(of: type) -> Iterator[tuple[ast.stmt, ast.stmt | None]]:
    """Yield the statements of a class, and those of its `__init__` that set an attribute, each with the next one."""
    file = inspect.getsourcefile(of)
    assert file is not None
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    body = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == of.__name__).body
    yield from zip(body, [*body[1:], None], strict=True)
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            for statement, after in zip(node.body, [*node.body[1:], None], strict=True):
                if any(isinstance(target, ast.Attribute) for target in _targets(statement)):
                    yield statement, after


def _assigned(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement gives a value or a type."""
    for target in _targets(statement):
        if isinstance(target, ast.Attribute):
            yield target.attr
        elif isinstance(target, ast.Name):
            yield target.id


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign) else []


def test_every_public_name_is_on_the_page() -> None:
    shown = on_the_page()
    in_a_room = {name for name in bakong_khqr.__all__ if hasattr(bakong_khqr.errors, name)}  # shown with `errors`
    assert [name for name in bakong_khqr.__all__ if f"bakong_khqr.{name}" not in shown and name not in in_a_room] == []
    assert {*ROOMS, "bakong_khqr.errors"} <= shown


def test_every_name_on_the_page_is_there() -> None:
    for path in on_the_page():
        home, _, name = path.rpartition(".")
        assert hasattr(import_module(home), name) or import_module(path), path


@pytest.mark.parametrize("name", [name for name in sorted(CLASSES) if CLASSES[name] is not ErrorCode])
def test_every_public_attribute_says_what_it_is(name: str) -> None:
    assert undocumented(CLASSES[name]) == set()
    assert CLASSES[name].__doc__
