"""Where a payer's page leads back to. Only addresses that the settings allow are taken."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from attrs import fields, frozen

LONGEST = 500  # characters
_SLASHES = ("/", "?", "#")


@frozen(kw_only=True)
class ReturnURLs:
    """The addresses of the shop for one payment. Without an address for the payment's status, `return_url` is taken."""

    return_url: str | None = None
    success_url: str | None = None
    cancel_url: str | None = None

    def given(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the address of each that is given."""
        for attribute in fields(ReturnURLs):
            if (url := getattr(self, attribute.name)) is not None:
                yield attribute.name, url

    def back(self, *, is_paid: bool) -> str | None:
        """Return the address for a payment that is paid, or isn't."""
        return (self.success_url if is_paid else self.cancel_url) or self.return_url

    def to_dict(self) -> dict[str, str | None]:
        """Return the addresses by name, as they are stored and shown."""
        return {"return_url": self.return_url, "success_url": self.success_url, "cancel_url": self.cancel_url}


def is_allowed(url: str, allowed: Iterable[str]) -> bool:
    """Return whether an address begins with an allowed one: the same scheme, host and port, and at least its path."""
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if parts.username is not None or parts.password is not None or "/.." in parts.path or "%2e" in parts.path.lower():
        return False
    return any(url == start or any(url.startswith(start + each) for each in _SLASHES) for start in allowed)
