"""Draws the settings as a file of variables to copy: what must be set stands there empty, and the rest is off."""

import re

from attrs import NOTHING, fields

from bakong_service.settings import Settings
from bakong_service.settings.written import settings_file

PAGE = "../deploy/.env.example"
COMMENT = "# "


def drawing() -> str:
    """Return one paragraph for each setting: its meaning, and its name with the default."""
    empty = {
        field.name.upper(): ""
        for field in fields(Settings)
        if field.default is NOTHING or re.search(r"required in live mode|is required", str(field.metadata["meaning"]))
    }
    return settings_file("", empty)
