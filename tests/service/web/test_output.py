"""Tables in a pipe: no line is broken, so that a reference or a URL can be taken from it."""

import os
import pty
import sys

import pytest

from bakong_service.cli import output

LONG = "http://127.0.0.1:3002/l/" + "3nejft8yn4" * 30
ROW = {"reference": "lnk_1", "url": LONG, "title": "Sokha Coffee " * 20}


@pytest.mark.parametrize("as_table", [True, False])
def test_a_pipe_gets_each_value_in_one_line(capsys: pytest.CaptureFixture[str], as_table: bool) -> None:
    if as_table:
        output.many([ROW], tuple(ROW), as_json=False)
    else:
        output.one(ROW, as_json=False)
    text = capsys.readouterr().out
    assert LONG in text
    assert ROW["title"].strip() in text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminal")
def test_a_terminal_gets_lines_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = pty.openpty()
    with os.fdopen(writing, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        output.many([ROW], ("reference", "url"), as_json=False)
        terminal.flush()
        text = os.read(reading, 10_000).decode()
    os.close(reading)
    assert LONG not in text
