"""The fixture that comes with the package, as somebody else's test would use it."""

import subprocess
import sys
from pathlib import Path

SOMEBODY_S_TEST = """
def test_the_fixture_is_fresh(bakong):
    assert type(bakong).__name__ == "BakongSimulator"
    assert len(bakong.payments) == 0
    bakong.pay("0" * 32, amount=1, currency="USD", to_account_id="shop@bank")

test_and_again = test_the_fixture_is_fresh
"""


def test_installing_the_package_is_enough_to_have_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_somebody_s.py").write_text(SOMEBODY_S_TEST, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_loads_nothing_before_a_test_asks() -> None:
    program = (
        "import sys, bakong_khqr.testing.pytest_plugin; "
        "print([name for name in sys.modules if name == 'httpx' or name.startswith('bakong_khqr.testing.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['bakong_khqr.testing.pytest_plugin']"
