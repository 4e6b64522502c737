"""A Khmer page follows every change of the English page that it translates.

A translation keeps the sections, the order of paragraphs, items and rows, the samples, the names as code, the numbers
and the links. Each is compared by section, so a change that the Khmer page lacks fails by page and section. The
translation of a sentence can't be compared.

The ID of a Khmer heading, `{ #by-code }`, is the one that the English heading gets, so a link to a section fits both
pages. What only a Khmer page needs stands between `<!-- only in Khmer -->` and `<!-- end of what is only in Khmer -->`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "km").glob("*.md"))
ONLY_KHMER = re.compile(
    r"^<!-- only in Khmer -->$.*?^<!-- end of what is only in Khmer -->$"
    r"|^!!! warning [^\n]+\n(?:(?: {4}[^\n]+)?\n)+",  # a machine translated the page
    re.MULTILINE | re.DOTALL,
)
PART = re.compile(
    r"(?P<sample>(?:^<!-- [^\n]+ -->\n)?^```(?s:.*?)^```$)"  # with the comment above, which says how a test runs it
    r"|^(?P<comment><!-- [^\n]+ -->)$"
    r"|^(?P<heading>#+ [^\n]+)$"
    r"|^(?P<row>\|[^\n]+)$"
    r"|^(?P<item>(?:-|\d+\.) [^\n]+(?:\n +[^\n]+)*)"
    r"|^(?P<picture>!\[[^\n]+)$"
    r"|^(?P<paragraph>[^\n]+(?:\n[^\n]+)*)",
    re.MULTILINE,
)
NAME = re.compile(r"`[^`\n]+`|(?<![A-Za-z\d.])\d+(?:\.\d+)?")  # the 5 of MD5 is no number
LINK = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>\s]+)>")
KHMER_DIGITS = str.maketrans("០១២៣៤៥៦៧៨៩", "0123456789")

T = TypeVar("T")
BySection = dict[str, T]


@frozen
class Part:
    """A paragraph, an item, a row, a picture, a sample or a heading, and the section that it belongs to."""

    section: str
    kind: str
    text: str


def parts(text: str) -> Iterator[Part]:
    section = ""
    for found in PART.finditer(ONLY_KHMER.sub("", text)):
        kind = str(found.lastgroup)
        if kind == "heading":
            section = section_id(found[0])
        if kind != "comment":
            yield Part(section, kind, found[0])


def section_id(heading: str) -> str:
    """Return the ID of a heading, as MkDocs makes it; the title of a page needs none."""
    marks, _, words = heading.partition(" ")
    if marks == "#":
        return ""
    if given := re.search(r"\{ #(\S+) \}$", words):
        return given[1]
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower())


def headings(text: str) -> list[tuple[int, str]]:
    """Return the level and the ID of each heading."""
    return [(part.text.index(" "), part.section) for part in parts(text) if part.kind == "heading"]


def outline(text: str) -> BySection[list[str]]:
    """Return the kind of each part of a section, in their order."""
    kinds: BySection[list[str]] = defaultdict(list)
    for part in parts(text):
        kinds[part.section].append(part.kind)
    return kinds


def samples(text: str) -> BySection[list[str]]:
    found: BySection[list[str]] = defaultdict(list)
    for part in parts(text):
        if part.kind == "sample":
            found[part.section].append(part.text)
    return found


def rows(text: str) -> BySection[list[tuple[int, list[str]]]]:
    """Return the number of cells of each row, and its names as code and numbers."""
    found: BySection[list[tuple[int, list[str]]]] = defaultdict(list)
    for part in parts(text):
        if part.kind == "row":
            found[part.section].append((part.text.count("|") - 1, sorted(set(names_in(part.text)))))
    return found


def names(text: str) -> BySection[Counter[str]]:
    """Return how often each name as code and each number stands in the sentences of a section."""
    found: BySection[Counter[str]] = defaultdict(Counter)
    for part in parts(text):
        if part.kind not in {"row", "sample"}:
            found[part.section].update(names_in(part.text))
    return found


def names_in(text: str) -> list[str]:
    """Return the names as code and the numbers of a part. A number in Khmer digits is returned in others."""
    words = re.sub(r"\{ #\S+ \}$", "", LINK.sub("", text))
    return [name.translate(KHMER_DIGITS) for name in NAME.findall(" ".join(words.split()))]


def links(text: str, written: Callable[[str], str] = str) -> BySection[list[str]]:
    """Return the targets of a section's links and pictures, each as `written` gives it."""
    found: BySection[list[str]] = defaultdict(list)
    for part in parts(text):
        if part.kind != "sample":
            found[part.section] += [written(inside or address) for inside, address in LINK.findall(part.text)]
    return {section: sorted(targets) for section, targets in found.items()}


def english_of(page: Path) -> Path:
    found = re.search(r"^<!-- translates (\S+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{page.name} doesn't say which page it translates"
    return (page.parent / found[1]).resolve()


TRANSLATED = {english_of(page): page for page in PAGES}


def place(target: str, page: Path) -> str:
    """Return where a target of a page leads, from the root of the repository."""
    return target if "://" in target else from_root(*file_and_section(target, page))


def place_in_khmer(target: str, page: Path) -> str:
    """Return where a target of an English page leads in Khmer: to the Khmer page or picture if there is one."""
    if "://" in target:
        return target
    file, section = file_and_section(target, page)
    khmer_picture = file.with_name(file.name.replace("-en-", "-km-"))
    return from_root(TRANSLATED.get(file, khmer_picture if khmer_picture.exists() else file), section)


def file_and_section(target: str, page: Path) -> tuple[Path, str]:
    path, _, section = target.partition("#")
    return (page.parent / path).resolve() if path else page, section


def from_root(file: Path, section: str) -> str:
    return f"{file.relative_to(ROOT).as_posix()}#{section}"


def differences(english: BySection[list[T]], khmer: BySection[list[T]]) -> BySection[tuple[list[T], list[T]]]:
    """Return by section what only the English page has, and what only the Khmer page has.

    If a section has the same in another order, or not as often, all of it is returned.
    """
    found = {}
    for section in [*english, *khmer]:
        ours, theirs = english.get(section, []), khmer.get(section, [])
        if ours != theirs:
            only = [each for each in ours if each not in theirs], [each for each in theirs if each not in ours]
            found[section] = only if any(only) else (ours, theirs)
    return found


def lacking(english: BySection[Counter[str]], khmer: BySection[Counter[str]]) -> BySection[list[str]]:
    """Return the names that a Khmer section lacks. It may have more of them, such as `--language km`."""
    return {section: sorted(more) for section in english if (more := english[section] - khmer[section])}


@pytest.fixture(params=TRANSLATED.items(), ids=lambda pair: pair[1].name)
def pair(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """An English page and its translation."""
    english, khmer = request.param
    return english, khmer


@pytest.fixture
def texts(pair: tuple[Path, Path]) -> tuple[str, str]:
    english, khmer = (page.read_text(encoding="utf-8") for page in pair)
    return english, khmer


def test_a_khmer_page_has_the_sections_of_the_english_page(texts: tuple[str, str]) -> None:
    english, khmer = texts
    assert headings(khmer) == headings(english)


def test_a_section_has_the_same_paragraphs_items_rows_and_pictures(texts: tuple[str, str]) -> None:
    english, khmer = texts
    assert differences(outline(english), outline(khmer)) == {}


def test_a_section_has_the_same_samples_and_runs_them_alike(texts: tuple[str, str]) -> None:
    english, khmer = texts
    assert differences(samples(english), samples(khmer)) == {}


def test_a_table_has_the_same_codes_and_numbers_in_each_row(texts: tuple[str, str]) -> None:
    english, khmer = texts
    assert differences(rows(english), rows(khmer)) == {}


def test_no_name_as_code_and_no_number_is_left_out(texts: tuple[str, str]) -> None:
    english, khmer = texts
    assert lacking(names(english), names(khmer)) == {}


def test_a_link_leads_to_the_same_page_or_to_its_translation(pair: tuple[Path, Path], texts: tuple[str, str]) -> None:
    (english_page, khmer_page), (english, khmer) = pair, texts
    expected = links(english, lambda target: place_in_khmer(target, english_page))
    found = links(khmer, lambda target: place(target, khmer_page))
    assert differences(expected, found) == {}


PAGE = """# Title

## 1. A section

A sentence with `NAME`, 100 calls and [a link](page.md#part).

- an item
- another item

<!-- paid -->
```sh
khqr doctor
```

| code | meaning |
|---|---|
| `late` | after 90 days |
"""


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("## 1. A", "### 1. A", headings),
        ("A section", "Another section", headings),
        ("- another", "A paragraph.\n\n- another", outline),
        ("- an item\n", "", outline),
        ("khqr doctor", "khqr token show", samples),
        ("<!-- paid -->\n", "", samples),
        ("`late`", "`later`", rows),
        ("90 days", "60 days", rows),
        ("| code | meaning |", "| code | meaning | more |", rows),
        ("`NAME`", "`ANOTHER`", names),
        ("100 calls", "60 calls", names),
        ("page.md#part", "page.md", links),
    ],
)
def test_a_change_is_noticed(before: str, after: str, seen: Callable[[str], object]) -> None:
    assert PAGE.count(before) == 1
    assert seen(PAGE.replace(before, after)) != seen(PAGE)


def test_a_translation_differs_in_nothing_that_is_kept() -> None:
    khmer = PAGE.replace("## 1. A section", "## 1. ផ្នែក { #1-a-section }").replace("100 calls", "១០០ ដង")
    khmer += "\n<!-- only in Khmer -->\n\nមានតែជាភាសាខ្មែរ 7\n\n<!-- end of what is only in Khmer -->\n"
    for seen in (headings, outline, samples, rows, names, links):
        assert seen(khmer) == seen(PAGE)
