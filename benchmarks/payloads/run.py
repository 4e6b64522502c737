"""Payload speed beside other libraries, each in its own environment: PyPI `bakong-khqr`, npm `bakong-khqr` and
`ts-khqr`.

    python -m benchmarks.payloads.run [--seconds 1.0] [--json FILE]

Run it with the interpreter that has this package. It makes a virtual environment and a Node folder in the system's
temporary folder and keeps them for the next run; what isn't there (no Node, no network) is left out of the table.
Every figure is the median of five loops, single thread, after a warm-up; the libraries take turns, loop by loop, so
that a busy machine slows all alike.
"""

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOOPS = 5
OPERATIONS = ("encode", "decode", "verify")
PYPI = "bakong-khqr==0.6.5"
NPM = ("bakong-khqr@1.0.20", "ts-khqr@2.2.3")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="the length of a loop")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()

    medians = measure(options.seconds)
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, operations a second")
    print(f"{'':<28}" + "".join(f"{one:>12}" for one in ("encode+MD5", "decode", "verify")))
    for name, figures in medians.items():
        cells = (f"{figures[one]:,.0f}" if one in figures else "none" for one in OPERATIONS)
        print(f"{name:<28}" + "".join(f"{cell:>12}" for cell in cells))
    if options.json:
        options.json.write_text(json.dumps(medians, indent=2) + "\n", encoding="utf-8")


def measure(seconds: float) -> dict[str, dict[str, float]]:
    """Return each library's operations a second, by its name."""
    work = Path(tempfile.gettempdir()) / "khqr-benchmark"
    runners = dict(filter(None, (ours(), incumbent(work), *node(work))))
    loops: dict[str, list[dict[str, float]]] = {name: [] for name in runners}
    for _ in range(LOOPS):
        for name, command in runners.items():
            finished = subprocess.run([*command, str(seconds)], check=True, capture_output=True, text=True, cwd=ROOT)
            loops[name].append(json.loads(finished.stdout))
    return {
        name: {one: statistics.median(loop[one] for loop in rows) for one in OPERATIONS if one in rows[0]}
        for name, rows in loops.items()
    }


def ours() -> tuple[str, list[str]]:
    return "bakong-khqr-sdk (this)", [sys.executable, "-m", "benchmarks.payloads.ours"]


def incumbent(work: Path) -> tuple[str, list[str]] | None:
    """The package on PyPI that shares our import name, in an environment of its own."""
    folder = work / "pypi"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        quietly([str(python), "-m", "pip", "install", "--quiet", PYPI])
    except (subprocess.CalledProcessError, OSError) as error:
        left_out(PYPI, error)
        return None
    return "PyPI bakong-khqr 0.6.5", [str(python), "-E", "-m", "benchmarks.payloads.incumbent"]


def node(work: Path) -> list[tuple[str, list[str]]]:
    folder = work / "node"
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        left_out("npm", "there is no Node here")
        return []
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    try:
        quietly([npm, "install", "--silent", *NPM], cwd=folder)
    except (subprocess.CalledProcessError, OSError) as error:
        left_out("npm", error)
        return []
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    shutil.copy(HERE / "node.cjs", folder)
    script = str(folder / "node.cjs")
    return [(f"npm {name.replace('@', ' ')}, {version}", [program, script, name.partition("@")[0]]) for name in NPM]


def quietly(command: Sequence[str], cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd=cwd)


def left_out(name: str, reason: object) -> None:
    print(f"left out: {name}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
