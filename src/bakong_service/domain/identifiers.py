"""Identifiers: internal numbers that sort by time, public references, bill numbers. Randomness is an argument."""

import math
from collections.abc import Callable
from datetime import datetime
from secrets import randbits
from uuid import UUID

from attrs import frozen

_RANDOM_BITS = 22
_GREATEST = 2**63 - 1  # what a BIGINT holds
_YEAR_2020_MS = 1_577_836_800_000  # counted from here, 41 bits last until 2089 (from 1970 on only until 2039)
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def least_number(moment: datetime) -> int:
    """The least internal id that is made at `moment` or later: ids are as good as an index on the time of making."""
    milliseconds = max(math.ceil(moment.timestamp() * 1000) - _YEAR_2020_MS, 0)
    return min(milliseconds << _RANDOM_BITS, _GREATEST)


@frozen
class Identifiers:
    """Makes identifiers out of the moment and `random_bits(n)`, which answers with n random bits.

    Tests and replays give a seeded source; the service uses the system's.
    """

    random_bits: Callable[[int], int] = randbits

    def number(self, now: datetime) -> int:
        """An internal id: 41 bits of milliseconds since 2020, 22 random ones. Close in time is close on disk.

        Two made in one millisecond may collide (1 in 4 million): the insert fails and the operation is run again.
        """
        milliseconds = int(now.timestamp() * 1000) - _YEAR_2020_MS
        return (milliseconds << _RANDOM_BITS) | self.random_bits(_RANDOM_BITS)

    def reference(self, kind: str) -> str:
        """A public reference: a type prefix and a version 4 UUID, as in `pay_5b0f6c1e-…`."""
        return f"{kind}_{UUID(int=self.random_bits(128), version=4)}"

    def bill_number(self, number: int) -> str:
        """A payment's internal id in base 36, upper case, 13 characters: fits KHQR's 25 and makes every QR unique."""
        digits = ""
        while number:
            number, digit = divmod(number, 36)
            digits = _BASE36[digit] + digits
        return digits.upper().rjust(13, "0")
