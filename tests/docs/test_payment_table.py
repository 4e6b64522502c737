"""The page of what may happen to a payment says what the code does."""

import importlib.util
from pathlib import Path

from bakong_service.domain.payment import TRANSITIONS, Flag, PaymentStatus

SCRIPT = Path(__file__).parents[2] / "docs" / "service" / "payment_table.py"


def test_the_table_of_payments_is_drawn_from_the_code() -> None:
    spec = importlib.util.spec_from_file_location("payment_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.drawn(page) == page, "run python docs/service/payment_table.py"


def test_every_status_flag_and_kind_of_review_is_explained() -> None:
    pages = [SCRIPT.with_name(name).read_text(encoding="utf-8") for name in ("payment-states.md", "watching.md")]
    for status in PaymentStatus:
        assert f"| `{status.value}` |" in pages[0]
    for flag in Flag:
        assert f"`{flag.value}`" in pages[0]
    for kind in {row.review for row in TRANSITIONS if row.review and row.review != "mismatch"}:
        assert f"`{kind}`" in pages[1]
