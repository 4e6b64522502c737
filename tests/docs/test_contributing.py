"""The recipes for contributors name files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def missing(text: str) -> list[str]:
    """Return the paths in `text` that neither the repository nor the service's package has."""
    named = re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md)|(?:[\w.-]+/)+)`", text)
    return [path for path in named if not any((root / path).exists() for root in (ROOT, ROOT / "src/bakong_service"))]


def test_every_file_that_a_recipe_names_is_there() -> None:
    assert missing(TEXT) == []


def test_a_file_that_was_moved_would_be_noticed() -> None:
    assert missing("Change `web/payments.py` and `operations/`.") == ["web/payments.py"]
