"""The service's pages name only settings that exist."""

import re
from pathlib import Path

from attrs import fields

from bakong_service.domain.plan import DEFAULT_PLANS
from bakong_service.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted((ROOT / "docs" / "service").rglob("*.md")),
    ROOT / "docs/design/promises.md",
    ROOT / "docs/km/going-live.md",
]
KNOWN = {name.upper() + ending for name in (field.name for field in fields(Settings)) for ending in ("", "_FILE")} | {
    plan.code for plan in DEFAULT_PLANS
}


def unknown(text: str) -> set[str]:
    """Return the names in capitals, as code, that are neither a setting nor a plan that is sold from the start."""
    written = re.sub(r"<!-- drawn by .*?<!-- end of the drawing -->", "", text, flags=re.DOTALL)
    return set(re.findall(r"`([A-Z][A-Z0-9]*_?[A-Z0-9_]{2,})(?:=[^`]*)?`", written)) - KNOWN


def test_every_setting_that_a_page_names_exists() -> None:
    assert {page.name: names for page in PAGES if (names := unknown(page.read_text(encoding="utf-8")))} == {}


def test_a_setting_that_was_removed_would_be_noticed() -> None:
    assert unknown("`SERVICE_URL` and `HOST`, `SUBSCRIPTION_GRACE=0`, `KEY_PEPPER_FILE=/run/secrets/pepper`") == {
        "SERVICE_URL"
    }
