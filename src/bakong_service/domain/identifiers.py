"""Internal numbers that sort by time, public references, and bill numbers. Randomness is an argument."""

import json
import math
from collections.abc import Callable
from datetime import datetime
from secrets import randbits
from uuid import UUID, uuid5

from attrs import frozen

_RANDOM_BITS = 22
_GREATEST = 2**63 - 1  # what a BIGINT holds
_YEAR_2020_MS = 1_577_836_800_000  # counted from here, 41 bits last until 2089 (from 1970 on only until 2039)
_DERIVED = UUID("8d1f6a0e-5c0b-5a55-9a53-3f1c8a3b7f21")  # the namespace of every derived reference: never changes
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def least_number(moment: datetime) -> int:
    """Return the smallest internal id that can be made at `moment` or later, to search by time with ids."""
    milliseconds = max(math.ceil(moment.timestamp() * 1000) - _YEAR_2020_MS, 0)
    return min(milliseconds << _RANDOM_BITS, _GREATEST)


def derived_reference(kind: str, *names: str | int | None) -> str:
    """Return the public reference that belongs to `names`: a type prefix and a version 5 UUID.

    The same names always have the same reference, also if a database that was restored from a backup writes a lost row
    once more.
    """
    return f"{kind}_{uuid5(_DERIVED, json.dumps([kind, *names]))}"


@frozen
class Identifiers:
    """Makes identifiers from the time and from `random_bits(n)`, which returns n random bits.

    Tests pass a seeded source; the service uses the system's.
    """

    random_bits: Callable[[int], int] = randbits

    def number(self, now: datetime) -> int:
        """Return an internal id: 41 bits of milliseconds since 2020, then 22 random bits.

        Rows of the same time are close together on disk. Two ids of one millisecond are equal once in 4 million times:
        then the insert fails, and the operation is run again.
        """
        milliseconds = int(now.timestamp() * 1000) - _YEAR_2020_MS
        return (milliseconds << _RANDOM_BITS) | self.random_bits(_RANDOM_BITS)

    def numbers(self, now: datetime, count: int) -> list[int]:
        """Return `count` new internal ids, smallest first. No two are equal, as two of one millisecond might be."""
        numbers: set[int] = set()
        while len(numbers) < count:
            numbers.add(self.number(now))
        return sorted(numbers)

    def reference(self, kind: str) -> str:
        """Return a public reference: a type prefix and a version 4 UUID, as in `pay_5b0f6c1e-…`."""
        return f"{kind}_{UUID(int=self.random_bits(128), version=4)}"

    def bill_number(self, number: int) -> str:
        """Return an internal id in base 36, 13 upper-case characters.

        It makes every QR unique; KHQR allows 25 characters.
        """
        digits = ""
        while number:
            number, digit = divmod(number, 36)
            digits = _BASE36[digit] + digits
        return digits.upper().rjust(13, "0")
