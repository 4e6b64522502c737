"""The names of a KHQR's fields: what is made, what is read and what the command line takes have the same ones."""

from datetime import timedelta

import attrs
import pytest

from bakong_khqr import KHQR, IndividualFields, MerchantFields
from bakong_khqr.cli.field_texts import FieldTexts

INDIVIDUAL = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee")
MERCHANT = KHQR.merchant(
    bakong_account_id="shop@devb",
    merchant_name="Shop",
    merchant_id="123456",
    acquiring_bank="Dev Bank",
    amount="2.50",
    currency="USD",
    expires_in=timedelta(minutes=10),
)
GIVEN = {*IndividualFields.__annotations__, *MerchantFields.__annotations__}


@pytest.mark.parametrize("made", [INDIVIDUAL, MERCHANT], ids=["individual", "merchant"])
@pytest.mark.parametrize("is_read", [False, True], ids=["made", "read"])
def test_a_khqr_has_every_field_and_no_other(made: KHQR, is_read: bool) -> None:
    khqr = KHQR.decode(made.payload) if is_read else made
    assert set(vars(khqr)) == {one.name for one in attrs.fields(KHQR)}


def test_the_command_line_takes_every_field() -> None:
    assert {one.name for one in attrs.fields(FieldTexts)} == GIVEN


def test_every_given_field_is_kept() -> None:
    assert GIVEN - {one.name for one in attrs.fields(KHQR)} == {"expires_in"}
