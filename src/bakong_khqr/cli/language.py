"""The language of a command: English, or Khmer if `--language` or the environment asks for it."""

import os
from typing import Annotated, Literal

from cyclopts import Parameter

Language = Annotated[
    Literal["en", "km"] | None,
    Parameter(help="`en` or `km`; by default `KHQR_LANGUAGE`, then the locale of the environment (`LC_ALL`, `LANG`)."),
]
"""The option of a command that knows both languages."""


def spoken(language: Literal["en", "km"] | None) -> Literal["en", "km"]:
    """Return the language of the option, else the first that the environment sets, else English."""
    if language is not None:
        return language
    wanted = next((value for name in ("KHQR_LANGUAGE", "LC_ALL", "LANG") if (value := os.environ.get(name))), "en")
    return "km" if wanted.lower().startswith("km") else "en"
