"""The pytest fixture `bakong`: a new `BakongSimulator` for each test.

pytest always loads this module if the package is installed, so it imports nothing before a test needs it.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator


@pytest.fixture
def bakong() -> "BakongSimulator":
    """Return the Bakong Open API in memory, in real time; `bakong.transport()` connects it to a client."""
    from bakong_khqr.testing.simulator import BakongSimulator

    return BakongSimulator()
