"""The table of a run, printed and kept as JSON and Markdown, with what it was measured on."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attrs import asdict

from benchmarks.ratios.row import Row

RESULTS = Path(__file__).parents[1] / "results"
QUIET = 1.5  # a load average above this at the start: others were working too, and ratios are noise
PACKAGES = ("bakong-khqr-sdk", "bakong-service", "asyncpg", "attrs", "httptools", "sqlalchemy", "starlette", "uvicorn")


def keep(rows: Sequence[Row], *, load_at_the_start: float | None) -> None:
    """Print the table, and write it to `benchmarks/results/` under today's date, in place of an earlier one."""
    now = datetime.now(UTC)
    measured_on = {
        "at": now.isoformat(timespec="seconds"),
        "load_at_the_start": None if load_at_the_start is None else round(load_at_the_start, 2),
        "trusted": load_at_the_start is not None and load_at_the_start <= QUIET,
        "machine": machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: version(name) for name in PACKAGES},
    }
    text = markdown(rows, measured_on)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    name = f"{now:%Y-%m-%d}"
    kept = measured_on | {"rows": [asdict(row) | {"ratio": round(row.ratio, 4)} for row in rows]}
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")


def markdown(rows: Sequence[Row], measured_on: dict[str, Any]) -> str:
    """Return the table. A ratio of 1 is as fast as what stands beside it, 0.5 takes twice as long."""
    load = measured_on["load_at_the_start"]
    lines = [f"# Ratios of {measured_on['at'][:10]}", ""]
    if not measured_on["trusted"]:
        lines += [f"**Not to be trusted: load {'unknown' if load is None else load} at the start.**", ""]
    lines += [
        f"{measured_on['machine']}; {measured_on['python']}; load {load} at the start",
        "",
        ", ".join(f"{name} {number}" for name, number in measured_on["packages"].items()),
        "",
        "| what | beside | unit | ours | theirs | ratio |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.what} | {row.beside} | {row.unit} | {row.ours:,.0f} | {row.theirs:,.0f} | {row.ratio:.3f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Return the processor and the number of its cores, as far as the system tells them."""
    model = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"
