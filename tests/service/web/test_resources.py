"""What is shown is said once: a resource's class gives the answer its members, their order and their schema."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakong_khqr.money import Currency
from bakong_service import resources
from bakong_service.domain.delivery import DeliveryState
from bakong_service.domain.look import LookReason
from bakong_service.domain.moment import moment
from bakong_service.domain.money import EXPONENTS, Money, written
from bakong_service.domain.review import Disposition, ReviewKind
from bakong_service.resources.members import Moment, taken
from bakong_service.resources.problem_codes import PROBLEM_CODES
from bakong_service.web.http.openapi import document
from bakong_service.web.routes import ROUTES

CLASSES = [kind for name in resources.__all__ if attrs.has(kind := getattr(resources, name))]


@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_has_its_currencys_decimals_however_it_came(minor: int, currency: str) -> None:
    amount = Money(minor, currency)
    short = amount.decimal.normalize()  # as Bakong writes it: 0.5
    assert written(short, currency) == str(amount)
    assert len(written(short, currency).partition(".")[2]) == EXPONENTS[currency]


@pytest.mark.parametrize(("amount", "currency"), [("0.5", "KHR"), ("1.255", "USD"), ("7.1", "THB")])
def test_an_amount_that_is_no_whole_minor_unit_keeps_its_digits(amount: str, currency: str) -> None:
    assert written(Decimal(amount), currency) == amount


ZONES = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
FROM, UNTIL = datetime(2020, 1, 1), datetime(9000, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone


@given(st.datetimes(min_value=FROM, max_value=UNTIL, timezones=ZONES))
def test_a_moment_is_written_in_utc_with_milliseconds(at: datetime) -> None:
    text = moment(at)
    assert len(text) == len("2026-11-01T12:00:00.000Z")
    assert text.endswith("Z")
    assert timedelta(0) <= at - datetime.fromisoformat(text) < timedelta(milliseconds=1)


@attrs.frozen(kw_only=True, slots=False)
class Shelf:
    """A resource of this test."""

    words: list[str]
    facts: dict[str, Any]
    since: Moment | None
    number: int


@attrs.frozen(kw_only=True, slots=False)
class Room(Shelf):
    """A shelf and more."""

    door: str


@attrs.frozen
class Source:
    """What a shelf is made of."""

    number: int = 1
    since: datetime | None = None
    words: frozenset[str] = frozenset({"b", "a"})
    facts: dict[str, Any] | None = None


def test_members_stand_in_the_order_of_their_classes_the_inherited_ones_first() -> None:
    text = resources.encode(taken(Room, Source(), door="blue"))
    assert text == b'{"words":["a","b"],"facts":{},"since":null,"number":1,"door":"blue"}'
    assert resources.plain(taken(Shelf, Source(), number=2)) == {
        "words": ["a", "b"], "facts": {}, "since": None, "number": 2,
    }  # fmt: skip


def test_a_member_that_its_source_lacks_is_an_error() -> None:
    with pytest.raises(AttributeError, match="door"):
        taken(Room, Source())


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_schema_of_a_resource_has_its_members_in_their_order(kind: type[Any]) -> None:
    if kind in (resources.Listing, resources.Event, resources.Family):
        return  # described once for each item, and for each kind of subject
    name = {"ProblemDocument": "Problem"}.get(kind.__name__, kind.__name__)
    schema = document(ROUTES)["components"]["schemas"][name]
    assert list(schema["properties"]) == [each.name for each in attrs.fields(kind)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ReviewKind", ReviewKind), ("Disposition", Disposition), ("LookReason", LookReason),
        ("DeliveryState", DeliveryState), ("Currency", Currency),
    ],
)  # fmt: skip
def test_a_closed_set_is_the_same_in_the_domain_and_in_the_document(name: str, kind: type[StrEnum]) -> None:
    assert document(ROUTES)["components"]["schemas"][name]["enum"] == sorted(kind)


def test_the_document_lists_every_code_of_a_problem() -> None:
    code = document(ROUTES)["components"]["schemas"]["Problem"]["properties"]["code"]
    assert code["enum"] == list(PROBLEM_CODES)


def test_a_secret_is_in_no_representation() -> None:
    hidden = {"secret", "key", "qr"}
    shown = {each.name for kind in CLASSES for each in attrs.fields(kind) if each.repr}
    assert shown & hidden == set()
