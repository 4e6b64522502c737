"""What each library does with an expired token, other money or a hostile code: the table of `docs/comparison.md`.

    python -m benchmarks.claims.run

Run it with the interpreter that has this package. The other libraries get environments of their own, as in
`benchmarks.payloads`. Nothing is sent to Bakong: its answers are made up. Prints Markdown.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.claims import ours
from benchmarks.claims.questions import PAYLOADS, QUESTIONS
from benchmarks.payloads.run import NPM, PYPI, ROOT, incumbent, node

PATIENCE_SECONDS = 20
"""After this time, an observation counts as one that never ends. The longest that ends takes three seconds."""


def main() -> None:
    work = Path(tempfile.gettempdir()) / "khqr-benchmark"
    peers: dict[str, list[str]] = {}
    if (found := incumbent(work)) is not None:
        python = found[1][0]
        peers[f"PyPI `{PYPI.replace('==', '` ')}"] = [python, "-E", "-m", "benchmarks.claims.incumbent"]
    for package, (_, command) in zip(NPM, node(work), strict=False):
        script = work / "node" / "claims.cjs"
        shutil.copy(Path(__file__).parent / "node.cjs", script)
        name, _, version = package.partition("@")
        peers[f"npm `{name}` {version}"] = [command[0], str(script), name]
    print("| question | this SDK | " + " | ".join(peers) + " |")
    print("|---|---|" + "---|" * len(peers))
    for key, question in QUESTIONS.items():
        cells = [ours.observe(key), *(observed([*command, key, PAYLOADS.get(key, "")]) for command in peers.values())]
        print(f"| {question} | " + " | ".join(cells) + " |", flush=True)


def observed(command: list[str]) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"never ends (stopped after {PATIENCE_SECONDS} s)"
    return done.stdout.strip()


if __name__ == "__main__":
    main()
