"""Payloads to test with: the smallest good ones, and a way to seal any text with a right checksum."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bakong_khqr import KHQR

NOW_MS = 1_764_000_000_000
NOW = datetime(2025, 11, 24, 16, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def static() -> KHQR:
    return KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee")


@pytest.fixture
def dynamic() -> KHQR:
    """A dynamic code with every field that goes with dollars, made at `now` and good for ten minutes."""
    return KHQR.individual(**full_fields())


def full_fields(**changed: Any) -> dict[str, Any]:
    return {
        "bakong_account_id": "sokha@aclb",
        "merchant_name": "Sokha Coffee",
        "merchant_city": "Siem Reap",
        "currency": "USD",
        "amount": "2.50",
        "account_information": "012345678",
        "acquiring_bank": "ACLEDA",
        "bill_number": "INV-0042",
        "mobile_number": "85512345678",
        "store_label": "Riverside",
        "terminal_label": "POS-01",
        "purpose_of_transaction": "Coffee",
        "language_preference": "km",
        "merchant_name_alternate_language": "សុខាកាហ្វេ",
        "merchant_city_alternate_language": "សៀមរាប",
        "merchant_category_code": "5812",
        "created_at": NOW_MS,
        "expires_at": NOW_MS + 600_000,
    } | changed
