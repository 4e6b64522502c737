"""Somebody else's clients, each in an environment of its own, against a simulator on a port.

Where Node or a package can't be had the tests are skipped and say so.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import serve

NPM_PACKAGE = "bakong-khqr@1.0.20"  # the official SDK
PYPI_PACKAGE = "bakong-khqr==0.6.5"  # somebody else's, whose import name is ours

Run = Callable[[str, Sequence[str]], str]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[BakongSimulator, str]]:
    """A simulator and its URL, for one module."""
    bakong = BakongSimulator()
    with serve(bakong) as url:
        yield bakong, url


@pytest.fixture
def bakong(served: tuple[BakongSimulator, str]) -> BakongSimulator:
    """That simulator, as new."""
    served[0].reset()
    return served[0]


@pytest.fixture
def url(served: tuple[BakongSimulator, str]) -> str:
    """Its URL."""
    return served[1]


@pytest.fixture(scope="session")
def run_node(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a Node program beside the official npm SDK; its output."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node and npm aren't installed here")
    folder = tmp_path_factory.mktemp("npm")
    _install([npm, "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(folder)], NPM_PACKAGE)
    return lambda program, arguments: _run([node, "-e", program, *arguments], folder)


@pytest.fixture(scope="session")
def run_pypi(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a Python program in a virtual environment with PyPI's `bakong-khqr`; its output."""
    folder = tmp_path_factory.mktemp("pypi")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    has_pip = find_spec("pip") is not None  # a pip that is here installs over there too, in a fifth of the time
    venv.create(folder, with_pip=not has_pip)
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if has_pip else [str(python), "-m", "pip"]
    _install([*pip, "install", "--disable-pip-version-check", "--quiet"], PYPI_PACKAGE)
    return lambda program, arguments: _run([str(python), "-I", "-c", program, *arguments], folder)


def _install(command: list[str], package: str) -> None:
    try:
        done = subprocess.run([*command, package], capture_output=True, timeout=100, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{package} couldn't be installed within 100 seconds")
    if done.returncode != 0:
        pytest.skip(f"{package} couldn't be installed (exit {done.returncode} of its installer)")


def _run(command: list[str], folder: Path) -> str:
    no_proxy = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        command, cwd=folder, env=no_proxy, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
