"""A text that must not be seen: in no repr, log line or message."""

from attrs import field, frozen


@frozen
class Secret:
    """A secret's text. Only `reveal()` shows it; equality compares the texts."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._text

    def __str__(self) -> str:
        return "********"

    def __repr__(self) -> str:
        return "Secret(********)"
