"""The tutorial and the demo are played, and they print what the pages say that they print.

The shell blocks of the tutorial run one after another in an empty folder, on ports of their own. A Python block with a
title is a file of that name. A comment right above a shell block may say `<!-- not run: the reason -->`, or
`<!-- in the background, until it prints "..." -->`: then the block goes on beside those that follow. A `text` block is
what one of them printed, with `...` for what differs from run to run.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakong_service.cli.stage import free_port

pytestmark = pytest.mark.uncounted  # processes do what other tests measure in this one
DOCS = Path(__file__).parents[2] / "docs"
SECONDS = 120
FENCE = re.compile(
    r'(?:^<!-- (?:(?P<skipped>not run): [^>]+|in the background, until it prints "(?P<until>[^"]+)") -->\n+)?'
    r'^```(?P<language>\w+)(?: title="(?P<file>[\w.]+)")?\n(?P<text>.*?)^```',
    re.MULTILINE | re.DOTALL,
)
CHANGING = re.compile(
    r"\.\.\.|(?<=127\.0\.0\.1:)\d+|(?<=pay_)[0-9a-f-]{36}|(?<=evt_)[0-9a-f-]{36}|[\d,]+(?= ms)|\d{4}-\d\d-\d\dT\S+Z"
)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def script(text: str) -> Iterator[str]:
    """Make a script for bash of a page's shell blocks."""
    yield "set -eu"
    yield "kill_all() { kill $(jobs -p) 2>/dev/null || true; wait; }"
    yield "trap kill_all EXIT"
    yield 'await() { for _ in $(seq 600); do grep -qF -- "$2" "$1" && return; sleep 0.1; done; cat *.log; exit 9; }'
    for number, block in enumerate(FENCE.finditer(text)):
        if block["language"] != "sh" or block["skipped"]:
            continue
        if block["until"]:
            *before, program = block["text"].strip().split("\n")
            yield "\n".join([*before, f"{program} > {number}.log 2>&1 &", f"await {number}.log '{block['until']}'"])
        else:
            yield block["text"]
    yield 'for log in *.log; do await "$log" payment.paid; cat "$log"; done'


def shown(text: str) -> list[str]:
    """Return the lines that a page says were printed."""
    blocks = (block["text"] for block in FENCE.finditer(text) if block["language"] == "text")
    return [line for block in blocks for line in block.strip("\n").split("\n")]


def not_printed(lines: list[str], printed: str) -> list[str]:
    """Return the lines that don't stand in what was printed, whatever stands where a run differs from another one."""
    patterns = {line: ".*".join(re.escape(part) for part in CHANGING.split(line.strip())) for line in lines}
    return [line for line, pattern in patterns.items() if not re.search(pattern, printed)]


def test_a_line_that_was_not_printed_would_be_noticed() -> None:
    lines = ["webhook payment.paid: pay_... paid 2.50 USD", "  4,996 ms  done"]
    assert not_printed(lines, "webhook payment.paid: pay_1 paid 2.50 USD\n    12 ms  done") == []
    assert not_printed(lines, "webhook payment.paid: pay_1 paid 2.05 USD\n    12 ms  started") == lines


@pytest.mark.skipif(sys.platform == "win32" or not shutil.which("curl"), reason="the tutorial needs bash and curl")
def test_the_tutorial_runs_as_it_is_written(tmp_path: Path) -> None:
    text = page("tutorial.md")
    ports = {"3002": str(free_port()), "3080": str(free_port()), "4000": str(free_port())}
    arguments = f"bakong-service dev --service-port {ports['3002']} --simulator-port {ports['3080']}"
    text = re.sub("|".join(ports), lambda found: ports[found[0]], text)
    text = text.replace("\nbakong-service dev\n", f"\n{arguments}\n")
    for block in FENCE.finditer(text):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"], encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "NO_PROXY": "127.0.0.1"}
    command = ["bash", "-c", "\n".join(script(text))]
    played = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert played.returncode == 0, played.stdout + played.stderr
    assert not_printed(shown(text), played.stdout) == []


def test_the_demo_prints_the_timeline_of_the_home_page() -> None:
    command = [sys.executable, "-m", "bakong_service.cli", "demo"]
    played = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    lines = shown(page("index.md"))
    assert len(lines) > 10
    assert not_printed(lines, played.stdout) == []
