"""Writes a file of settings, with a comment for each setting. A shell, systemd and Docker Compose can read it."""

import shlex
import textwrap
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from attrs import NOTHING, fields

from bakong_service.settings.readers import spoken
from bakong_service.settings.secret import Secret
from bakong_service.settings.settings import Settings

_WIDTH = 100  # of a comment, in characters
EMPTY = '""'
"""An empty value. A person who fills it in with `Sokha Coffee` writes between the quotes, which a shell needs there."""


def written(value: Any) -> str:
    """Return the text that `Settings` would read as this value. It is empty if the value stands for "not set"."""
    if value is NOTHING or value is None or value == ():
        return ""
    if isinstance(value, Secret):
        return value.reveal()
    return spoken(value) if isinstance(value, timedelta) else str(value)


def settings_file(heading: str, values: Mapping[str, str], remarks: Mapping[str, str] | None = None) -> str:
    """Return a file with every setting: those of `values` are set, and the others are comments with their defaults.

    A required setting that isn't in `values`, or is empty there, gets an empty value, and its comment says that it must
    be set. The service refuses to start until it is. `heading` is the comment at the top of the file, and may be empty.
    `values` and `remarks`, which are further comments, are by the name of the setting: `"MERCHANT_NAME"`.
    """
    parts = [_comment(heading)] if heading else []
    for field in fields(Settings):
        name, default = field.name.upper(), written(field.default)
        if name in values:
            line = f"{name}={shlex.quote(values[name]) if values[name] else EMPTY}"
        elif field.default is NOTHING:
            line = f"{name}={EMPTY}"
        else:
            line = f"#{name}={shlex.quote(default) if default else EMPTY}"
        must = "Must be set: " if line == f"{name}={EMPTY}" else ""
        meaning = str(field.metadata["meaning"]).replace("`", "")
        remark = (remarks or {}).get(name)
        secret = ", a secret" if field.metadata["secret"] else ""
        parts.append(f"{_comment(f'{must}{meaning}{secret}')}{_comment(remark) if remark else ''}{line}\n")
    return "\n".join(parts)


def _comment(text: str) -> str:
    lines = [line for paragraph in text.split("\n") for line in textwrap.wrap(paragraph, _WIDTH) or [""]]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
