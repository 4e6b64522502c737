"""The page that compares this project with others says what this project does, and names tests that exist."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # the benchmarks are beside the tests, and no package installs them

from benchmarks.claims.ours import observe  # noqa: E402 - it is found only now
from benchmarks.claims.questions import QUESTIONS  # noqa: E402

PAGE = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("<!-- printed by benchmarks/claims/run.py -->")[2].partition("<!-- end of the table -->")[0]


def rows() -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in TABLE.strip().splitlines()[2:]]


def test_the_table_asks_every_question() -> None:
    assert [row[0] for row in rows()] == list(QUESTIONS.values())


@pytest.mark.parametrize("key", QUESTIONS)
def test_this_package_does_what_its_column_says(key: str) -> None:
    column = {row[0]: row[1] for row in rows()}
    assert column[QUESTIONS[key]] == observe(key)


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 10
    for path, name in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert not name or re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{path}::{name}"
