"""Every Python sample of the README and the documentation runs, against the simulator.

The samples of one page run one after another in one namespace, in an empty folder. A comment right above a sample may
say `<!-- not run: the reason -->`, or `<!-- paid -->`: then every code made so far on the page is paid before it runs.
A sample with a title is a file, which `test_how_to.py` or `test_played.py` runs.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakong_khqr import KHQR
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import serve

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "src/bakong_service/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SAMPLE = re.compile(
    r"(?:^<!-- (?P<note>not run: [^>]+|paid) -->\n+)?^```python(?! title=)[^\n]*\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def samples(page: Path) -> Iterator[tuple[int, str, str]]:
    """Each sample's line, note and code."""
    text = page.read_text(encoding="utf-8")
    for found in SAMPLE.finditer(text):
        yield text.count("\n", 0, found.start("code")) + 1, found["note"] or "", found["code"]


def codes(namespace: dict[str, Any]) -> list[KHQR]:
    """Return the codes that have a name, and those in a dictionary that has one."""
    dictionaries = [value for name, value in namespace.items() if isinstance(value, dict) and name != "__builtins__"]
    values = [*namespace.values(), *(value for each in dictionaries for value in each.values())]
    return [value for value in values if isinstance(value, KHQR)]


WITH_SAMPLES = [page for page in PAGES if any(not note.startswith("not run") for _, note, _ in samples(page))]


@pytest.fixture(scope="module")
def simulator() -> Iterator[tuple[BakongSimulator, str]]:
    simulator = BakongSimulator()
    with serve(simulator) as url:
        yield simulator, url


@pytest.mark.parametrize("page", WITH_SAMPLES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_samples_of_a_page_run(
    page: Path, simulator: tuple[BakongSimulator, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bakong, url = simulator
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAKONG_BASE_URL", url)
    monkeypatch.setenv("BAKONG_TOKEN", "simulator")
    namespace: dict[str, Any] = {"__name__": "sample"}
    for line, note, code in samples(page):
        if note.startswith("not run"):
            continue
        if note == "paid":
            for made in codes(namespace):
                bakong.pay(made)
        exec(compile("\n" * line + code, str(page), "exec"), namespace)


def test_the_readme_has_exactly_two_commands_of_set_up() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci/run").read_text(encoding="utf-8")
