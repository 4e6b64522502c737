"""On a page of the documentation, punctuation and the inline code that it touches are one element."""

import runpy
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[2] / "docs" / "hooks" / "punctuation.py"
on_page_content = runpy.run_path(str(HOOK))["on_page_content"]


@pytest.mark.parametrize(
    ("html", "whole"),
    [
        ("if it says <code>blocked</code>, wait", "<code>blocked</code>,"),
        ("an account (<code>name@bank</code>)", "(<code>name@bank</code>)"),
        ("an address (<code>name@bank</code> or a card)", "(<code>name@bank</code>"),
        ("<code>bakong-khqr</code>'s schedule", "<code>bakong-khqr</code>'s"),
        ("<code>khqr</code>។", "<code>khqr</code>។"),
    ],
)
def test_punctuation_stays_beside_its_code(html: str, whole: str) -> None:
    assert on_page_content(html, page=None) == html.replace(whole, f'<span class="whole">{whole}</span>')


@pytest.mark.parametrize(
    "html", ["set <code>MODE</code> to live", "<pre><span></span><code>pay(<span>1</span>)</code></pre>."]
)
def test_other_code_is_left_alone(html: str) -> None:
    assert on_page_content(html, page=None) == html
