"""How long a process takes to start and end: our import and our command beside an import of attrs alone."""

import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.ratios.row import Row

ATTRS = "import attrs"
OURS = {
    "import bakong_khqr": [sys.executable, "-c", "import bakong_khqr"],
    "khqr encode": [
        sys.executable, "-m", "bakong_khqr.cli", "encode", "--bakong-account-id", "sokha@aclb",
        "--merchant-name", "Sokha Coffee", "--currency", "USD", "--amount", "2.50", "--expires-in", "10m",
    ],
}  # fmt: skip


def measure(*, times: int) -> Iterator[Row]:
    """Yield the fastest of `times` starts of each, taking turns."""
    commands = {ATTRS: [sys.executable, "-c", ATTRS], **OURS}
    fastest = dict.fromkeys(commands, float("inf"))
    for _ in range(times):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            fastest[name] = min(fastest[name], (time.perf_counter() - began) * 1000)
    for name in OURS:
        yield Row(what=name, beside=f"python -c '{ATTRS}'", unit="ms", ours=fastest[name], theirs=fastest[ATTRS])
