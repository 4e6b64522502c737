"""The table itself: complete, free of contradictions, and what the documentation shows."""

import pytest

from bakong_service.domain.event import SUBSCRIPTION_EVENTS
from bakong_service.domain.subscription import REFUSALS, TRANSITIONS, Happening, Status, Transition, transition
from bakong_service.resources.problem_codes import PROBLEM_CODES

REQUESTS = {
    Happening.UPGRADE_QUOTED,
    Happening.DOWNGRADE_SCHEDULED,
    Happening.DOWNGRADE_NOW,
    Happening.CANCELLED,
    Happening.RESUMED,
    Happening.RENEWAL_REQUESTED,
}
PAIRS = [(status, happening) for status in Status for happening in Happening]


def rows(status: Status | None, happening: Happening) -> list[Transition]:
    return [row for row in TRANSITIONS if row.happening is happening and status in row.sources]


@pytest.mark.parametrize(("status", "happening"), PAIRS)
def test_a_pair_has_one_row_or_none(status: Status, happening: Happening) -> None:
    assert len(rows(status, happening)) <= 1


@pytest.mark.parametrize(("status", "happening"), [pair for pair in PAIRS if pair[1] in REQUESTS])
def test_whatever_a_user_asks_for_is_in_the_table_or_refused_with_advice(status: Status, happening: Happening) -> None:
    assert bool(rows(status, happening)) is not ((status, happening) in REFUSALS)


def test_only_requests_are_refused() -> None:
    assert {happening for _, happening in REFUSALS} <= REQUESTS


def test_the_rows_are_numbered_from_1_to_16_without_a_gap() -> None:
    numbers = {row.number.rstrip("b") for row in TRANSITIONS if row.number != "R"}
    assert numbers == {f"S{number}" for number in range(1, 17)}


def test_every_event_about_a_subscription_is_told_by_a_row() -> None:
    told = {event for row in TRANSITIONS for event in row.tells}
    assert told == set(SUBSCRIPTION_EVENTS)


def test_nothing_leaves_expired() -> None:
    assert not [row.number for row in TRANSITIONS if Status.EXPIRED in row.sources and row.target is not Status.ACTIVE]


def test_the_codes_of_refusals_are_documented() -> None:
    assert {code for code, _ in REFUSALS.values()} <= PROBLEM_CODES.keys()


def test_what_the_service_itself_must_not_do_is_a_bug_and_no_refusal() -> None:
    with pytest.raises(ValueError, match="can't happen to a subscription that is None"):
        transition(None, Happening.PERIOD_STARTED)
