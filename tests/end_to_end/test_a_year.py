"""The example that plays a year of subscriptions against real processes ends as it must."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "a_year_of_subscriptions.py"


@pytest.mark.uncounted
def test_a_year_of_subscriptions_ends_with_everybody_entitled_until_what_they_paid_for() -> None:
    played = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, encoding="utf-8", timeout=110, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert "365 days in" in played.stdout
