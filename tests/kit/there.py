"""What a test knows to be there, though its type says that it might not."""

from typing import TypeVar

T = TypeVar("T")


def there(value: T | None) -> T:
    """Return a value that isn't None; a test fails here if it is."""
    assert value is not None
    return value
