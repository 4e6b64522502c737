"""The sentences of the payer's pages, out of the catalogue, and the language that a visitor gets."""

from typing import Final

from starlette.requests import Request

from bakong_khqr.doctor.findings import Language
from bakong_service.texts import ENGLISH, KHMER, LANGUAGES, text, texts_below
from bakong_service.web.checkout.states import State

__all__ = ["ENGLISH", "KHMER", "STATES", "WORDS", "language_of", "preferred"]

STATES: Final[dict[Language, dict[State, tuple[str, str, str]]]] = {
    language: {
        state: (
            text(f"payer.state.{state}.title", language),
            text(f"payer.state.{state}.do", language),
            text(f"payer.state.{state}.dont", language),
        )
        for state in State
    }
    for language in LANGUAGES
}
"""For each state: what is the case, what the payer should do, and what the payer should not do."""

WORDS: Final[dict[Language, dict[str, str]]] = {
    language: texts_below("payer.page.", language) for language in LANGUAGES
}
"""Every text of the pages by its name."""


def language_of(request: Request) -> Language:
    """Return the language that the visitor switched to (`?lang=km`), else the one that the browser prefers."""
    chosen = _language(request.query_params.get("lang"))
    return chosen or preferred(request.headers.get("accept-language", ""))


def preferred(accepted: str) -> Language:
    """Return the best language of `Accept-Language`; English if it names neither."""
    best, language = 0.0, ENGLISH
    for part in accepted.split(","):
        name, _, weight = part.strip().partition(";")
        spoken = _language(name.partition("-")[0].strip().lower())
        quality = _quality(weight)
        if spoken is not None and quality > best:
            best, language = quality, spoken
    return language


def _language(name: str | None) -> Language | None:
    return next((language for language in LANGUAGES if language == name), None)


def _quality(weight: str) -> float:
    """Return the weight of one language; 0 if it isn't written as a number."""
    if not weight.strip():
        return 1.0
    name, _, number = weight.partition("=")
    try:
        return float(number) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
