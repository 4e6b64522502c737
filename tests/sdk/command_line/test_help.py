"""The help of `khqr` says what each command does."""

import re
from typing import Any

import pytest

from bakong_khqr.cli.app import app


@pytest.mark.parametrize("asked", [("--help",), ()])
def test_each_command_has_a_line_that_says_what_it_does(khqr_here: Any, asked: tuple[str, ...]) -> None:
    told = dict(re.findall(r"^│ (\w+) +(\S.+\.)", khqr_here(*asked).stdout.decode(), re.MULTILINE))
    assert told.keys() == {name for name in app.resolved_commands() if not name.startswith("-")}
