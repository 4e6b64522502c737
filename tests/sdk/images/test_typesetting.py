"""Letters that are right: Khmer is shaped, accents composed, scripts mixed; what does not fit is never drawn over."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakong_khqr.images.typesetting import (
    LEAST_SHRINK,
    LEAST_SIZE,
    bundled_fonts,
    fit_line,
    fit_name,
    read_fonts,
    shape,
)

LATIN, KHMER = bundled_fonts("regular")
FONTS = (LATIN, KHMER)

COENG = "\u17d2"


def glyphs(text: str) -> Any:
    return [glyph.id for glyph in shape(text, FONTS, field="name").glyphs]


@pytest.mark.parametrize("consonant", "កខគងចឆជញដឋឌណតថទធនបផពភមយរលវសហឡអ")
def test_a_khmer_vowel_that_is_typed_behind_is_drawn_before_its_consonant(consonant: str) -> None:
    assert glyphs(consonant + "េ") == [*glyphs("េ")[:1], *glyphs(consonant)]


@pytest.mark.parametrize("consonant", "កខគងចឆជដឋណតថទធនបផពភមយលវស")
def test_a_khmer_subscript_takes_a_form_of_its_own_under_the_letter(consonant: str) -> None:
    """Broken shaping shows the coeng sign and the full letter side by side."""
    subscript = glyphs("ក" + COENG + consonant)
    assert subscript[0] == glyphs("ក")[0]
    assert glyphs(COENG)[-1] not in subscript
    assert glyphs(consonant)[0] not in subscript[1:]


def test_the_khmer_subscript_ro_stands_before_its_letter() -> None:
    assert glyphs("ក" + COENG + "រ")[-1] == glyphs("ក")[0]


@pytest.mark.parametrize("word", ["ភ្នំពេញ", "ស្ត្រី", "ខ្ញុំ", "ក្រុមហ៊ុន", "ប៉័ង", "សៀមរាប", "ហាងកាហ្វេ", "ព្រះសីហនុ"])
def test_no_common_khmer_word_gets_a_dotted_circle(word: str) -> None:
    dotted_circle = KHMER.shaper.get_nominal_glyph(0x25CC)
    assert dotted_circle is not None
    assert dotted_circle not in glyphs(word)
    assert dotted_circle in glyphs("\u17c1"), "a vowel on its own does get one"


@pytest.mark.parametrize("word", ["Café", "Ångström", "Phở Nguyễn", "Łódź", "Šárka", "Ñandú", "İğdır", "Đặng"])
def test_an_accent_is_drawn_alike_however_it_was_typed(word: str) -> None:
    composed, _ = fit_line(unicodedata.normalize("NFC", word), FONTS, size=10, width=1000, field="name")
    apart, _ = fit_line(unicodedata.normalize("NFD", word), FONTS, size=10, width=1000, field="name")
    assert composed == apart
    assert {glyph.font for glyph in composed.glyphs} == {LATIN}


def test_each_script_is_set_in_its_own_font_and_the_pieces_follow_each_other() -> None:
    line = shape("Sokha ហាង 24", FONTS, field="name")
    fonts = [glyph.font for glyph in line.glyphs]
    assert fonts == [LATIN] * 6 + [KHMER] * 2 + [LATIN] * 3  # ហា is one glyph
    assert [glyph.x for glyph in line.glyphs] == sorted(glyph.x for glyph in line.glyphs)
    parts = (shape(part, FONTS, field="name").width for part in ("Sokha ", "ហាង", " 24"))
    assert line.width == pytest.approx(sum(parts))


@pytest.mark.parametrize("text", ["៛ 10,000", "$ 2.50", "៛ 9,999,999,999,999", "KHR", "USD", "KHQR", "១២៣៤៥៦៧៨៩០"])
def test_amounts_can_be_set_in_bold(text: str) -> None:
    assert shape(text, bundled_fonts("bold"), field="amount_text").width > 0


def test_a_letter_that_no_font_has_is_named_and_another_font_may_bring_it() -> None:
    with pytest.raises(ValueError, match=r"name: no font has the character 'ហ' \(U\+17A0\) at offset 6"):
        shape("Sokha ហាង", [LATIN], field="name")
    assert shape("Sokha ហាង", [LATIN, KHMER], field="name").width > 0
    with pytest.raises(ValueError, match=r"no font has the character '老' \(U\+8001\) at offset 0.*`fonts`"):
        shape("老王", FONTS, field="name")


@pytest.mark.parametrize("control", ["\n", "\t", "\0", "\x7f", "\x9b"])
def test_a_control_character_is_refused(control: Any) -> None:
    with pytest.raises(ValueError, match=r"name: .* at offset 1 is a control character"):
        fit_name(f"a{control}b", FONTS, size=10, width=100, field="name")


@pytest.mark.parametrize("blank", ["", "   ", "\u200b", "\u200d", " \u200b\u00a0"])
@pytest.mark.parametrize("fit", [fit_line, fit_name])
def test_a_blank_text_is_refused(fit: Any, blank: Any) -> None:
    with pytest.raises(ValueError, match="name: it is blank"):
        fit(blank, FONTS, size=10, width=100, field="name")


@pytest.mark.parametrize("fit", [fit_line, fit_name])
def test_what_is_not_text_is_a_type_error(fit: Any) -> None:
    with pytest.raises(TypeError, match=r"name: expected text \(str\), got Decimal"):
        fit(Decimal("2.50"), FONTS, size=10, width=100, field="name")


def test_a_font_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"fonts: this is not a TrueType or OpenType font \(7 bytes\)"):
        read_fonts([b"garbage"])
    with pytest.raises(TypeError, match="fonts: expected a sequence of paths or bytes, got one str"):
        read_fonts("font.ttf")
    with pytest.raises(FileNotFoundError):
        read_fonts([tmp_path / "none.ttf"])


def test_a_name_that_fits_keeps_its_size() -> None:
    lines, size = fit_name("Sokha", FONTS, size=10, width=1000, field="name")
    assert (len(lines), size) == (1, 10)


def test_a_name_that_is_a_little_too_long_shrinks_on_one_line() -> None:
    full = shape("Sokha Coffee", FONTS, field="name").width * 10
    lines, size = fit_name("Sokha Coffee", FONTS, size=10, width=full * 0.8, field="name")
    assert len(lines) == 1
    assert size == pytest.approx(8)


def test_a_longer_name_is_broken_at_the_space_that_leaves_the_lines_most_alike() -> None:
    text = "Sokha Coffee and Bakery Phnom Penh"
    full = shape(text, FONTS, field="name").width * 10
    lines, size = fit_name(text, FONTS, size=10, width=full * 0.55, field="name")
    assert [len(line.glyphs) for line in lines] == [len("Sokha Coffee and"), len("Bakery Phnom Penh")]
    assert size == 10


def test_a_khmer_name_is_broken_at_a_zero_width_space() -> None:
    text = "ក្រុមហ៊ុន\u200bអភិវឌ្ឍន៍"
    full = shape(text, FONTS, field="name").width * 10
    lines, _ = fit_name(text, FONTS, size=10, width=full * 0.6, field="name")
    assert lines == [shape(part, FONTS, field="name") for part in text.split("\u200b")]


def test_a_khmer_name_without_spaces_is_broken_between_clusters_never_within_one() -> None:
    text = "ស្ត្រីស្ត្រីស្ត្រី"
    full = shape(text, FONTS, field="name").width * 10
    lines, _ = fit_name(text, FONTS, size=10, width=full * 0.67, field="name")
    cluster = shape("ស្ត្រី", FONTS, field="name").width
    assert sorted(round(line.width / cluster, 6) for line in lines) == [1, 2]


def test_a_text_that_could_not_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="name: 120 characters are too many for two lines of a card"):
        fit_name("W" * 120, FONTS, size=10, width=100, field="name")
    with pytest.raises(ValueError, match="amount_text: 40 characters are too many for a line of this card"):
        fit_line("9" * 40, FONTS, size=10, width=100, field="amount_text")
    with pytest.raises(ValueError, match="name: it has 1000000 characters; a card takes at most 200"):
        fit_name("x" * 1_000_000, FONTS, size=10, width=100, field="name")


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("WiAé ោ្ក្រីខុំ៛\u200b0"), min_size=1, max_size=25), st.floats(1, 400))
def test_no_text_ever_runs_over(text: str, width: int) -> None:
    for fit, least in ((fit_line, LEAST_SIZE), (fit_name, LEAST_SIZE)):
        try:
            fitted, size = fit(text, FONTS, size=26, width=width, field="name")
        except ValueError:
            continue
        lines = fitted if isinstance(fitted, list) else [fitted]
        assert 26 * least * 0.999 <= size <= 26
        assert len(lines) <= 2
        assert all(line.width * size <= width * 1.000001 for line in lines)
        if len(lines) == 1 and fit is fit_name:
            assert size >= 26 * LEAST_SHRINK * 0.999 or len(lines[0].breaks) == 1


@settings(max_examples=200, deadline=None)
@given(
    st.text(
        # Two inherent vowels of Khmer are invisible.
        st.characters(min_codepoint=0x1780, max_codepoint=0x17DC, exclude_characters="\u17b4\u17b5"),
        min_size=1,
        max_size=25,
    )
)
def test_any_khmer_name_can_be_set_on_a_card(text: str) -> None:
    """Twenty-five characters is the most that a KHQR holds; 426 pixels is the room on a card 600 wide."""
    lines, _ = fit_name(text, FONTS, size=26, width=426, field="name")
    assert sum(len(line.glyphs) for line in lines) > 0
