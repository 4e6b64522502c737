"""The page of what may happen to a subscription says what the code does."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs" / "service" / "subscription_table.py"


def test_the_table_of_subscriptions_is_drawn_from_the_code() -> None:
    spec = importlib.util.spec_from_file_location("subscription_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.drawn(page) == page, "run python docs/service/subscription_table.py"
