"""The documentation loads nothing from other hosts, so a reader without the internet sees all of it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "mkdocs.yml", *(p for p in sorted((ROOT / "docs").rglob("*")) if p.suffix in {".md", ".css", ".svg"})]
LOADED = re.compile(
    r"!\[[^\]]*\]\(\s*https?:[^)]*"  # a picture in Markdown
    r"|<(?:script|link|img|iframe|source|image|use)\b[^>]*(?:src|href)\s*=\s*[\"']?(?:https?:)?//[^>]*"
    r"|(?:url\(|@import)\s*[\"']?(?:https?:)?//[^\n]*"
    r"|^\s*-?\s*(?:extra_css|extra_javascript|logo|favicon)\b[^\n]*//[^\n]*"
    r"|^```mermaid"  # Material loads the script that draws it from another host
    r"|^\s*font: (?!false)\w+",  # and fonts, unless it is told not to
    re.MULTILINE,
)


def loaded(text: str) -> list[str]:
    """Return what a page would load from another host."""
    return [found[0] for found in LOADED.finditer(text)]


def test_no_page_loads_anything_from_another_host() -> None:
    assert {str(p.relative_to(ROOT)): found for p in SOURCES if (found := loaded(p.read_text("utf-8")))} == {}
    assert "font: false" in SOURCES[0].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "![a badge](https://badges.example/a.svg)",
        '<img src="https://pictures.example/a.png">',
        "<script src=//scripts.example/a.js></script>",
        "```mermaid\nstateDiagram-v2\n```",
        "@import 'https://fonts.example/a.css'",
        "  font: Roboto",
    ],
)
def test_a_page_that_would_is_noticed(text: str) -> None:
    assert len(loaded(text)) == 1


def test_a_link_is_not_a_load() -> None:
    assert loaded("[Standard Webhooks](https://www.standardwebhooks.com) and `https://pay.example.com`") == []
