"""Where a setting's text comes from: the environment, or for a secret the file that `NAME_FILE` names."""

import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

_SENTENCES = ("it ", "the ")  # a rule that begins so doesn't go on from the setting's name
_ORCHESTRATOR = Path("/run/secrets")  # a tmpfs of this container only; Docker makes its files readable by everybody


@frozen
class Problem:
    """What is wrong with one setting."""

    name: str  # "QR_LIFE"
    value: str | None  # its value; None for a secret, and for a setting that isn't set
    rule: str  # what it may be

    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.name} is {self.value!r}: {self.rule}"
        return f"{self.name}{':' if self.rule.startswith(_SENTENCES) else ''} {self.rule}"


class SettingsError(Exception):
    """The settings don't allow a start. `problems` has every wrong setting."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def is_open_to_others(mode: int) -> bool:
    """Return whether a file's mode lets its group or everybody read or write it."""
    return bool(mode & (stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH))


def text_of(environ: Mapping[str, str], name: str, *, secret: bool) -> str | None:
    """Return the setting's text without surrounding space; None if it isn't set, or is empty.

    Raises `ValueError` with the rule that its file breaks.
    """
    text = environ.get(name, "").strip() or None
    file = environ.get(f"{name}_FILE", "").strip() if secret else ""
    if not file:
        return text
    if text is not None:
        raise ValueError(f"is set twice: by itself and by {name}_FILE; keep one")
    return _from_file(Path(file), name)


def _from_file(path: Path, name: str) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_FILE names {path}, which can't be read: {error}") from error
    if sys.platform != "win32" and is_open_to_others(mode) and not path.is_relative_to(_ORCHESTRATOR):
        raise ValueError(f"{name}_FILE names {path}, which others on this machine may read or write: chmod 600 it")
    if not text:
        raise ValueError(f"{name}_FILE names {path}, which is empty")
    return text
