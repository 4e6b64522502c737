"""How hard a secret is to guess, as far as its text shows it. Live mode refuses the weak ones."""

import re
from itertools import pairwise

LEAST = 32  # characters; of hex digits that is 128 bits
_LEAST_VARIETY = 8  # different characters
_ROW = 8  # so many characters in a row, such as 01234567, aaaaaaaa or hgfedcba, nobody draws at random
_WORDS = re.compile(
    r"change.?me|example|passw[o0]rd|placeholder|qwerty|replace|secret|insert|your.?(own|key|32|secret|token|api)|"
    r"test.?key|MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # the last one is the example of Standard Webhooks
    re.IGNORECASE,
)


def weakness(text: str) -> str | None:
    """Return why a secret is too easy to guess, as the end of a sentence: `"has 5 characters"`.

    None means that the text shows no weakness. It may be weak nevertheless, for example because it was published.
    """
    if len(text) < LEAST:
        return f"has {len(text)} characters"
    if len(set(text)) < _LEAST_VARIETY:
        return f"has only {len(set(text))} different characters"
    if _WORDS.search(text):
        return "has the words of an example"
    if _repeats(text):
        return "repeats itself"
    if _has_row(text):
        return "counts or repeats a character"
    return None


def _repeats(text: str) -> bool:
    """Return whether the text is one piece, written twice or more."""
    return any((text[:length] * len(text))[: len(text)] == text for length in range(1, len(text) // 2 + 1))


def _has_row(text: str) -> bool:
    """Return whether some characters in a row have the same step from one to the next: none, up or down."""
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    return any(
        len(set(steps[start : start + _ROW - 1])) == 1 and abs(steps[start]) <= 1
        for start in range(len(steps) - _ROW + 2)
    )
