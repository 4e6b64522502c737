"""The files of the how-to pages are written down as the pages name them, and their tests pass.

A Python sample with a title, such as `python title="shop.py"`, is a file of its page. The files of a page stand in one
folder, and pytest runs there as it would at a reader's.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "how-to"
FILE = re.compile(r'^```python title="(?P<name>[\w./]+)"\n(?P<text>.*?)^```', re.MULTILINE | re.DOTALL)
SECONDS = 120


def files(page: Path) -> dict[str, str]:
    """Return the files of a page by their names."""
    return {found["name"]: found["text"] for found in FILE.finditer(page.read_text(encoding="utf-8"))}


WITH_FILES = [page for page in sorted(FOLDER.glob("*.md")) if files(page)]


def write(page: Path, folder: Path) -> None:
    """Write the files of a page into a folder, with what makes each folder below it a package."""
    for name, text in files(page).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for parent in path.relative_to(folder).parents[:-1]:
            (folder / parent / "__init__.py").touch()


@pytest.mark.parametrize("page", WITH_FILES, ids=lambda page: page.stem)
def test_the_tests_of_a_page_pass(page: Path, tmp_path: Path) -> None:
    write(page, tmp_path)
    assert list(tmp_path.glob("test_*.py")), f"{page.name} has files, and no test that runs them"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(tmp_path)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    played = subprocess.run(command, cwd=tmp_path, env=inherited, capture_output=True, text=True, timeout=SECONDS)
    assert played.returncode == 0, played.stdout + played.stderr
    assert re.search(r"\d+ passed", played.stdout)


def test_every_page_is_listed() -> None:
    listed = set(re.findall(r"\]\((\S+?\.md)\)", (FOLDER / "index.md").read_text(encoding="utf-8")))
    assert {page.name for page in FOLDER.glob("*.md")} - {"index.md"} <= listed
