"""Writes a file of settings, with a comment for each: a shell, systemd and Docker Compose can read it."""

import shlex
import textwrap
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from attrs import NOTHING, fields

from bakong_service.settings.readers import spoken
from bakong_service.settings.secret import Secret
from bakong_service.settings.settings import Settings

_WIDTH = 100
EMPTY = '""'


def written(value: Any) -> str:
    """Return the text that a setting with this value has; an empty text if there is none."""
    if value is NOTHING or value is None or value == ():
        return ""
    if isinstance(value, Secret):
        return value.reveal()
    return spoken(value) if isinstance(value, timedelta) else str(value)


def settings_file(heading: str, values: Mapping[str, str], remarks: Mapping[str, str] | None = None) -> str:
    """Return a file with every setting. `values` are set; the others stand in comments, with their defaults.

    A setting that is required and isn't among `values`, or is empty there, stands without a value: the service names it
    at its start. An empty value has quotes, because a shell needs them around a name with a blank. The heading may be
    empty. `remarks` are further comments by the names of settings.
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
