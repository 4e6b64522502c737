"""A text that must not appear in a repr, a log line or a message."""

from attrs import field, frozen


@frozen
class Secret:
    """A secret text. Only `reveal()` returns it. Two secrets are equal if their texts are."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """Return the text itself, for the one place that needs it."""
        return self._text

    def __str__(self) -> str:
        return "********"

    def __repr__(self) -> str:
        return "Secret(********)"
