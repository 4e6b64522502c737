"""A KHQR as JSON: the same whatever was read from it before."""

import json
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bakong_khqr import KHQR

READ = [name for name in dir(KHQR) if not name.startswith("_") and not callable(getattr(KHQR, name, None))]


def read_all(khqr: KHQR) -> None:
    for name in READ:
        getattr(khqr, name)
    khqr.to_png(), khqr.to_card(), repr(khqr), hash(khqr)


def test_a_dictionary_holds_every_field_as_json_can() -> None:
    khqr = KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="សុខា",
        currency="USD",
        amount=Decimal("2.5"),
        created_at=1_764_000_000_123,
        expires_at=1_764_000_600_000,
    )
    found = json.loads(json.dumps(khqr.to_dict()))
    assert list(found) == ["md5", *(one.name for one in attrs.fields(KHQR))]
    assert found["md5"] == khqr.md5
    assert found["payload"] == khqr.payload
    assert found["merchant_name"] == "សុខា"
    assert (found["amount"], found["currency"], found["kind"]) == ("2.50", "USD", "individual")
    assert found["created_at"] == "2025-11-24T16:00:00.123000+00:00"
    assert found["expires_at"] == "2025-11-24T16:10:00+00:00"
    assert found["bill_number"] is None


def test_a_large_amount_is_written_in_full() -> None:
    khqr = KHQR.individual(
        bakong_account_id="a@b", merchant_name="x", amount=Decimal("1E+12"), expires_at=9_999_999_999_999
    )
    assert khqr.to_dict()["amount"] == "1000000000000"


def test_reading_changes_nothing_in_a_code(static: KHQR, dynamic: KHQR) -> None:
    assert "data_objects" in READ
    for khqr in (static, dynamic, KHQR.decode(dynamic.payload)):
        before = dict(vars(khqr))
        assert set(before) == {one.name for one in attrs.fields(KHQR)}
        as_json = khqr.to_dict()
        read_all(khqr)
        assert vars(khqr) == before
        assert khqr.to_dict() == as_json
        assert attrs.asdict(khqr) == before


def test_fastapi_encodes_a_code_whatever_was_read_from_it(dynamic: KHQR) -> None:
    encoders: Any = pytest.importorskip("fastapi.encoders")
    before = encoders.jsonable_encoder(dynamic)
    read_all(dynamic)
    assert json.loads(json.dumps(encoders.jsonable_encoder(dynamic))) == before
    assert before["payload"] == dynamic.payload
    assert encoders.jsonable_encoder(dynamic.to_dict()) == dynamic.to_dict()
