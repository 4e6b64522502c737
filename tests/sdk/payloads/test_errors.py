"""Errors carry data, travel between processes, and stand in the tree that their module draws."""

import copy
import pickle
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from bakong_khqr import KHQR, BakongError, InvalidKHQR, errors
from bakong_khqr.calling.budget import DailyBudget


def test_an_error_comes_back_from_another_process_whole() -> None:
    with pytest.raises(InvalidKHQR) as caught:
        KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="x" * 26)
    for copied in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(copied) is InvalidKHQR
        assert str(copied) == str(caught.value)
        assert vars(copied) == vars(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        errors.RateLimited("slow down", retry_at=datetime(2026, 1, 1, tzinfo=UTC)),
        errors.UnreadableTransaction("unreadable", body=b"{}"),
        errors.Unauthorized("renew"),
    ],
)
def test_every_kind_of_error_can_be_copied(error: BakongError) -> None:
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied), vars(copied)) == (type(error), str(error), vars(error))


def test_an_invalid_khqr_is_a_value_error_and_a_bakong_error() -> None:
    for kind in (ValueError, BakongError):
        with pytest.raises(kind, match="bakong_account_id"):
            KHQR.individual(bakong_account_id="", merchant_name="x")


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BakongError) and value is not BakongError
    }
    assert drawn == defined
    nested = re.findall(r"│   └── (\w+)", errors.__doc__ or "")
    assert [getattr(errors, name).__bases__[0] for name in nested] == [errors.UnexpectedAnswer]


def test_messages_do_not_repeat_what_a_stranger_sent_at_length() -> None:
    with pytest.raises(InvalidKHQR) as caught:
        KHQR.individual(bakong_account_id="x" * 100_000 + "\n", merchant_name="x")
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**5000, "an int of 16610 bits"),
        (-(10**5000), "an int of 16610 bits"),
        (-1, "-1"),
        ("x" * 1_000_000, "'xxxxxxxxxxxx...xxxxxxxxxxxxx'"),
    ],
    ids=["large", "negative", "small", "text"],
)
def test_a_value_is_shown_short_whatever_it_is(value: object, text: str) -> None:
    assert errors.shown(value) == text


def test_a_budget_shows_any_number_that_it_refuses() -> None:
    wrong: list[dict[str, Any]] = [{"limit": -(10**5000)}, {"calls_per_second": -(10**5000)}]
    for refused in wrong:
        with pytest.raises(errors.InvalidRequest, match="an int of 16610 bits"):
            DailyBudget(**refused)
