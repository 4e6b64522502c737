"""Text from strangers: whatever it is, an answer comes in time and no other error than ours.

CI tries 10,000 texts of Hypothesis. The long form (marker `slow`, `HOSTILE_EXAMPLES` sets its count) throws dice
instead, for twice the texts in the same time; it prints the seed.
"""

import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakong_khqr import KHQR, ErrorCode, InvalidKHQR, emv, inspect, verify
from bakong_khqr.diagnosis._advice import ADVICE

NOW_MS = 1_764_000_000_000
NOW = datetime(2025, 11, 24, 16, 0, tzinfo=UTC)
LIMIT_LINES = 1_000_000  # what CPython 3.11 runs in about 25 ms

SEEDS = [
    KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee").payload,
    KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="ហាងកាហ្វេ",
        amount=10000,
        created_at=NOW_MS,
        expires_at=NOW_MS + 1,
        bill_number="INV-0042",
        store_label="Riverside",
        language_preference="km",
        merchant_name_alternate_language="សុខា",
        upi_account_information="0123456789",
    ).payload,
    KHQR.merchant(
        bakong_account_id="shop@abaa", merchant_name="Shop", merchant_id="1", acquiring_bank="ABA", currency="USD"
    ).payload,
]
# What attackers and sloppy writers put in: digits, lengths, IDs, blanks, controls, surrogates, other alphabets.
PIECES = [
    *"0159-+ .@eEKH\x00\n\x1b\x7f",
    *("00", "99", "29", "30", "62", "63", "64", "6304", "0000", "９", "១", "\ud800", "😀", "ក"),
]


def mutated(script: bytes) -> str:
    """Return a good payload with some of it cut, doubled, swapped or replaced, half of them with a right checksum.

    The script's first byte says which payload and whether its checksum is made right; every four after it are an edit:
    where, how much, by what, and how. Bytes are drawn, and made smaller where they fail, by Hypothesis and dice alike.
    """
    first, *edits = script
    text = SEEDS[first % len(SEEDS)]
    for at, span, piece, kind in zip(*[iter(edits)] * 4, strict=False):
        start = at % (len(text) + 1)
        end = start + (0, 1, 2, 4, 30)[span % 5]
        new = PIECES[piece % len(PIECES)] if piece < 128 else f"{piece}{at}{span}"[: span % 8]
        middle = ("", new + text[start:end], new, text[start:end] * 2)[kind % 4]
        text = text[:start] + middle + text[end:]
    if first >= 128:
        body = text[:-4] if text[-8:-4] == "6304" else text + "6304"
        with suppress(InvalidKHQR):
            text = body + emv.crc16(body)
    return text


TEXTS = (
    st.binary(min_size=5, max_size=25).map(mutated)
    | st.text()
    | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))
)


def arbitrary(dice: random.Random) -> str:
    alphabet = dice.choice(("0123456789", "".join(PIECES), "".join(map(chr, range(256))), "០១២កខគ\ud800\udfff😀"))
    return "".join(dice.choices(alphabet, k=dice.choice((0, 1, 3, 8, 20, 100, 511, 512, 513))))


def never_anything_else(text: str) -> ErrorCode | None:
    """Hold every promise that is made for any text at all, and return what is wrong with this one first."""
    verification = verify(text)
    inspection = inspect(text)
    assert [int(one.code) for one in inspection.problems] == [int(one.code) for one in verification.problems]
    for problem in verification.problems:
        assert problem.code in ADVICE
        assert problem.offset is None or 0 <= problem.offset <= len(text)
    json.dumps(inspection.to_dict())
    str(inspection).encode()
    without_time = [one.code for one in verification.problems if one.code not in {45, 46}]
    if without_time:
        with pytest.raises(InvalidKHQR) as caught:
            KHQR.decode(text)
        assert caught.value.code == without_time[0]
    else:
        khqr = KHQR.decode(text)
        assert khqr.payload == text
        assert emv.build(khqr.data_objects) == text
    try:
        data_objects = emv.parse(text)
    except InvalidKHQR:
        assert not verification
    else:
        assert emv.build(data_objects) == text
    return verification.error_code


@pytest.mark.uncounted
def test_no_text_of_any_kind_breaks_a_promise() -> None:
    codes: Counter[ErrorCode | None] = Counter()

    @settings(max_examples=4_000, deadline=None)
    @given(TEXTS)
    def hold(text: str) -> None:
        codes[never_anything_else(text)] += 1

    hold()
    assert codes[None] > 20, "good ones were tried"
    assert len(codes) > 12, "and faults of many kinds"


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_no_text_breaks_a_promise_for_long() -> None:
    seed = random.SystemRandom().randrange(2**32)
    count = int(os.environ.get("HOSTILE_EXAMPLES", "1000000"))
    print(f"seed {seed}, {count} texts")
    dice = random.Random(seed)
    for number in range(count):
        never_anything_else(arbitrary(dice) if number % 4 == 0 else mutated(dice.randbytes(dice.randint(5, 25))))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([f"{n:02}" for n in range(100)]), st.text(max_size=40)), max_size=12))
def test_no_list_of_data_objects_breaks_a_promise(data_objects: list[tuple[str, str]]) -> None:
    text = "".join(f"{identifier}{len(value):02}{value}" for identifier, value in data_objects) + "6304"
    with suppress(InvalidKHQR):
        text += emv.crc16(text)
    never_anything_else(text)


WORST = {
    "a million digits": "9" * 1_000_000,
    "five million zeros, data objects all of them": "0000" * 1_250_000,
    "twice a payload's length": "".join(f"{n:02}00" for n in range(100)) * 2 + "0000" * 56,
    "a million surrogates": "\ud800" * 1_000_000,
    "a hundred empty data objects": "".join(f"{n:02}00" for n in range(100)) + "6304ABCD",
    "128 times the same empty data object": "0000" * 128,
    "only controls": "\x00" * 512,
    "only surrogates": "\ud800" * 512,
    "only Khmer": "ក" * 512,
    "templates in templates": "6299" + "5095" + "0091" + "0087" + "0083" + "0" * 83 + "6304ABCD",
    "every template broken": "".join(f"{n:02}02xx" for n in range(26, 100))[:504] + "6304ABCD",
    "lengths past the end": "9999" * 128,
    "a probe that hangs the official SDK": SEEDS[0][:-8] + "6204abcd6304" + emv.crc16(SEEDS[0][:-8] + "6204abcd6304"),
    "a payload of 512 that is all wrong": ("29040000" + "5303abc" + "5403abc" + "62040100" + "99040000") * 14,
}


@pytest.mark.parametrize("text", WORST.values(), ids=WORST.keys())
@pytest.mark.parametrize("function", [KHQR.decode, verify, lambda text: str(inspect(text)), emv.parse])
def test_no_text_takes_more_work_than_50_milliseconds_hold(text: str, function: Callable[[str], Any]) -> None:
    """The work is counted in lines, which no busy machine changes; a pattern that never ends meets the time limit."""
    lines = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return count

    tracer = sys.gettrace()
    sys.settrace(count)
    try:
        with suppress(InvalidKHQR):
            function(text)
    finally:
        sys.settrace(tracer)
    assert 0 < lines < LIMIT_LINES
