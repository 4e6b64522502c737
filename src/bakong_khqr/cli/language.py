"""Which language a command speaks: English, or Khmer where `--language` or the environment asks for it."""

import os
from typing import Annotated, Literal

from cyclopts import Parameter

Language = Annotated[
    Literal["en", "km"] | None,
    Parameter(help="`en` or `km`; by default `KHQR_LANGUAGE`, then the locale of the environment (`LC_ALL`, `LANG`)."),
]
"""The option of a command that speaks both."""


def spoken(language: Literal["en", "km"] | None) -> Literal["en", "km"]:
    """The language to speak: the option's, else the environment's first that is set, else English."""
    if language is not None:
        return language
    wanted = next((value for name in ("KHQR_LANGUAGE", "LC_ALL", "LANG") if (value := os.environ.get(name))), "en")
    return "km" if wanted.lower().startswith("km") else "en"
