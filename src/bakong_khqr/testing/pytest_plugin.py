"""The pytest fixture `bakong`: a fresh, kind `BakongSimulator` for each test.

pytest loads this module wherever the package is installed, so it imports nothing before a test asks.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bakong_khqr.testing.simulator import BakongSimulator


@pytest.fixture
def bakong() -> "BakongSimulator":
    """The Bakong Open API in memory, by the real time; `bakong.transport()` plugs it into a client."""
    from bakong_khqr.testing.simulator import BakongSimulator

    return BakongSimulator()
