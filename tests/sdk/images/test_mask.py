"""The mask is chosen fast, and it is the one that counting cell by cell chooses."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qrcode.main import QRCode
from qrcode.util import lost_point

from bakong_khqr.images.mask import best_mask, penalty


def bits(rows: Any) -> Any:
    return int("".join("1" if cell else "0" for row in rows for cell in row), 2)


@pytest.mark.uncounted
@pytest.mark.parametrize("seed", range(40))
def test_the_choice_is_the_librarys_own(seed: int) -> None:
    dice = random.Random(seed)
    symbol = QRCode(error_correction=dice.randrange(4), border=0)
    symbol.add_data("".join(dice.choice("0123456789ABCdef@ ភ") for _ in range(dice.randrange(1, 300))))
    assert best_mask(symbol) == symbol.best_mask_pattern()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(11, 25).flatmap(
        lambda side: st.lists(st.lists(st.booleans(), min_size=side, max_size=side), min_size=side, max_size=side)
    )
)
def test_the_penalty_of_any_pattern_is_the_librarys_own(rows: Any) -> None:
    assert penalty(bits(rows), len(rows)) == lost_point(rows)


@pytest.mark.parametrize("colour", [False, True])
def test_the_penalty_of_one_colour_is_the_librarys_own(colour: Any) -> None:
    rows = [[colour] * 21] * 21
    assert penalty(bits(rows), 21) == lost_point(rows)
