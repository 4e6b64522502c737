"""The catalogue has every text in both languages, and each text asks for the same values in both."""

import re
from pathlib import Path

import pytest

import bakong_service.cli.doctor as command
from bakong_khqr.doctor.findings import WORDINGS
from bakong_service.texts import CATALOGUE, LANGUAGES, text, texts_below

OF_THE_OTHER_LANGUAGE = "payer.page.language"
"""The name of the language that a payer may switch to, which is written in that language."""


def is_khmer(sentence: str) -> bool:
    return any("\u1780" <= letter <= "\u17ff" for letter in sentence)


def placeholders(sentence: str) -> list[str]:
    return sorted(re.findall(r"\{[^}]*\}", sentence))


@pytest.mark.parametrize("key", CATALOGUE)
def test_a_text_is_in_both_languages_with_the_same_placeholders(key: str) -> None:
    english, khmer = (text(key, language) for language in LANGUAGES)
    assert (is_khmer(english), is_khmer(khmer)) == ((True, False) if key == OF_THE_OTHER_LANGUAGE else (False, True))
    assert placeholders(english) == placeholders(khmer)


@pytest.mark.parametrize("key", CATALOGUE)
def test_a_name_as_code_is_in_both_languages(key: str) -> None:
    english, khmer = (text(key, language) for language in LANGUAGES)
    named = [sorted(re.findall(r"[A-Z]{3,}_[A-Z_]+|`[^`]+`", sentence)) for sentence in (english, khmer)]
    assert named[0] == named[1]


def test_advice_for_the_service_replaces_advice_that_the_sdk_gives() -> None:
    replaced = texts_below("doctor.advice.", "en")
    assert replaced
    assert [code for code in replaced if not (code in WORDINGS and WORDINGS[code][1].advice)] == []


def test_the_doctor_says_every_finding_of_the_catalogue_and_no_other() -> None:
    said = set(re.findall(r'_line\("(\w+)"', Path(command.__file__).read_text(encoding="utf-8")))
    assert said == {
        key.removesuffix(".advice") for key in texts_below("doctor.", "en") if not key.startswith("advice.")
    }
