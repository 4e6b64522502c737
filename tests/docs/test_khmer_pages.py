"""The Khmer pages say what they are, and use the words of the glossary.

`test_khmer_in_step.py` compares them with the English pages.
"""

import re
from pathlib import Path

import pytest

from bakong_khqr.doctor.findings import WORDINGS
from bakong_service.texts import CATALOGUE, KHMER, text

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "km").glob("*.md"))
REFUSED = {
    "ការទូទាត់": "ការបង់ប្រាក់",
    "វិក្កយបត្រ": "បង្កាន់ដៃ",
    "អ្នកទិញ": "អ្នកបង់ប្រាក់",
    "ម្ដង": "ម្តង",
    "ប្ដូរ": "ប្តូរ",
    "ចាប់ផ្ដើម": "ចាប់ផ្តើម",
}
"""Words that mean the same as a word of the glossary, or another spelling of it, and the word to write."""


def glossary() -> dict[str, str]:
    table = (DOCS / "glossary.md").read_text(encoding="utf-8").partition("## Khmer words")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([^|;]+)", table, re.MULTILINE)
    return {english: khmer.strip() for english, khmer in rows if english != "English"}


def said_texts() -> str:
    """Return what the payer's page and both doctors say in Khmer."""
    findings = [part for _, _, khmer in WORDINGS.values() for part in (khmer.found, khmer.advice)]
    return " ".join([*(text(key, KHMER) for key in CATALOGUE), *findings])


def refused(text: str) -> dict[str, str]:
    return {word: better for word, better in REFUSED.items() if word in text}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_says_that_a_machine_translated_it_and_how_to_report_a_mistake(page: Path) -> None:
    begin = " ".join(page.read_text(encoding="utf-8").partition("\n## ")[0].split())
    for sentence in ("ទំព័រនេះបកប្រែដោយម៉ាស៊ីន", "no native speaker has read it yet", "បើឃើញកំហុស", "To report a mistake"):
        assert sentence in begin


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_uses_another_word_for_a_word_of_the_glossary(page: Path) -> None:
    assert refused(page.read_text(encoding="utf-8")) == {}


def test_the_payers_page_and_the_doctors_use_no_other_word_either() -> None:
    assert refused(said_texts()) == {}


def test_nor_do_the_other_commands_and_the_page_of_the_simulator() -> None:
    sdk = ROOT / "src" / "bakong_khqr"
    files = [*(sdk / "cli").glob("*.py"), sdk / "testing" / "control_page" / "index.html"]
    assert {file.name: found for file in files if (found := refused(file.read_text(encoding="utf-8")))} == {}


def test_every_khmer_word_of_the_glossary_is_in_use() -> None:
    words = glossary()
    assert len(words) > 20
    texts = said_texts() + " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [word for word in words.values() if word not in texts] == []
