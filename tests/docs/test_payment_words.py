"""The pages about payments explain every word that an answer may hold."""

from pathlib import Path

import pytest

from bakong_service.domain.payment import Flag, PaymentStatus
from bakong_service.domain.review import ReviewKind

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "service"


def test_every_status_flag_and_kind_of_review_is_explained() -> None:
    pages = [(FOLDER / name).read_text(encoding="utf-8") for name in ("payment-states.md", "watching.md")]
    for status in PaymentStatus:
        assert f"| `{status.value}` |" in pages[0]
    for flag in Flag:
        assert f"`{flag.value}`" in pages[0]
    for kind in ReviewKind:
        assert f"`{kind.value}`" in pages[1]


@pytest.mark.parametrize("page", ["am-i-paid.md", "km/am-i-paid.md"])
def test_a_shop_learns_what_every_status_and_flag_means(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for word in [*PaymentStatus, *Flag]:
        assert f"| `{word.value}` |" in text
