"""Text fields of a KHQR and the templates that hold them: one rule per field, for writing and for reading.

Only the alphabet of a field is a rule of writing alone: codes that others made with other characters are still read.

Where a field stands and how long it may be comes from the table in `emv/tags.py`; what is added here is its public
name and the official SDK's code for each way of getting it wrong.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import Factory, field, frozen

from bakong_khqr.emv.characters import character_fault, refused_character
from bakong_khqr.emv.tags import Path, describe
from bakong_khqr.emv.tlv import TWO_DIGITS
from bakong_khqr.errors import ErrorCode, InvalidKHQR, shown
from bakong_khqr.payload._alphabet import Alphabet, character_name, first_refused


@frozen
class TextField:
    """A field that is text: its public `name`, its `path` in the payload, and the codes for its faults.

    A field with a `required_code` must be given. `pattern` is the form of the whole value if it has one, `form`
    says it in words, and `form_code` is the fault. `alphabet` is what a new code may hold; `made_pattern` is the form
    in that alphabet, if the rule for writing is stricter than the rule for reading.
    """

    name: str
    path: Path
    length_code: ErrorCode
    required_code: ErrorCode | None = None
    least: int = 1
    pattern: re.Pattern[str] | None = None
    form: str = ""
    form_code: ErrorCode = ErrorCode.CHARACTER_REFUSED
    alphabet: Alphabet = Alphabet.TEXT
    made_pattern: re.Pattern[str] | None = field(default=Factory(lambda self: self.pattern, takes_self=True))
    id: str = field(init=False, default=Factory(lambda self: self.path[-1], takes_self=True))
    limit: int = field(init=False, default=Factory(lambda self: _limit(self.path), takes_self=True))

    def accepts(self, value: str | None) -> bool:
        """Say whether `value` keeps the rule; `None` is an absent field."""
        if value is None:
            return self.required_code is None
        pattern = self.pattern
        return self.least <= len(value) <= self.limit and (pattern is None or pattern.fullmatch(value) is not None)

    def write(self, value: str | None) -> str:
        """Return the field as a data object, `""` when it is absent and may be.

        Raises `InvalidKHQR` with the field's code, `TypeError` for what isn't text.
        """
        if not isinstance(value, str):
            if value is None and self.required_code is None:
                return ""
            raise TypeError(f"{self.name} must be a str, not {type(value).__name__}")
        length = len(value)
        # What `accepts` says, in place: a code has a dozen fields, and the call is a twentieth of making it.
        if self.least <= length <= self.limit:
            if self.made_pattern is None or self.made_pattern.fullmatch(value):
                return f"{self.id}{TWO_DIGITS[length]}{value}"
            self.check_characters(value)
        raise self.fault(value)

    def check_characters(self, value: str) -> None:
        """Raise `InvalidKHQR` with the place of the first character that a new code may not hold in this field."""
        at = first_refused(self.alphabet, value)
        if at is None:
            return
        if refused_character(value[at]) is not None:
            raise character_fault(value, at, field=self.name, offset=at)
        length = len(value)
        message = f"{self.name} {value!a} has {character_name(value[at])} at offset {at}; it takes {self.alphabet}"
        raise InvalidKHQR(self.form_code, message, field=self.name, offset=at, length=length, limit=self.limit)

    def fault(self, value: str | None, *, offset: int | None = None) -> InvalidKHQR:
        """Return the error for a value that isn't accepted."""
        place = ".".join(self.path)
        if self.required_code is not None and not value:
            return InvalidKHQR(
                self.required_code, f"{self.name} (data object {place}) is required", field=self.name, offset=offset
            )
        value = value or ""
        length = len(value)
        if self.least <= length <= self.limit:
            message = f"{self.name} {shown(value)} must be {self.form}"
            return InvalidKHQR(self.form_code, message, field=self.name, offset=offset, length=length, limit=self.limit)
        span = f"{self.limit}" if self.least == self.limit else f"{self.least} to {self.limit}"
        message = f"{self.name} {shown(value)} has {length} characters; it may have {span}"
        return InvalidKHQR(self.length_code, message, field=self.name, offset=offset, length=length, limit=self.limit)


@frozen
class Template:
    """A data object that holds text fields: its ID, its public name, its fields in the order of writing."""

    id: str
    name: str
    fields: tuple[TextField, ...]

    def write(self, given: Mapping[str, Any]) -> str:
        """Return the template with what `given` has of its fields by name, `""` when it has none of them.

        Raises `InvalidKHQR` when the fields together pass 99 characters, which two digits of length can't say: the
        official SDK writes three, and nobody can read that payload.
        """
        text = "".join(
            [one.write(value) for one in self.fields if (value := given[one.name]) is not None or one.required_code]
        )
        if not text:
            return ""
        length = len(text)
        if length > 99:
            used = ", ".join(f"{one.name} {len(given[one.name])}" for one in self.fields if given[one.name] is not None)
            sizes = f"{length} characters ({used}, and 4 for each)"
            message = f"{self.name} (template {self.id}) has {sizes}; it may have at most 99"
            raise InvalidKHQR(ErrorCode.TEMPLATE_LENGTH_INVALID, message, field=self.name, length=length, limit=99)
        return f"{self.id}{TWO_DIGITS[length]}{text}"

    def refused(self, objects: Mapping[str, str]) -> list[TextField]:
        """Return the fields whose value in `objects`, by ID, isn't accepted, required ones that are absent included."""
        return [
            one
            for one in self.fields
            if ((value := objects.get(one.id)) is not None or one.required_code) and not one.accepts(value)
        ]


def _limit(path: Path) -> int:
    tag = describe(*path)
    assert tag is not None, path
    return tag.most
