"""Which URLs of a database or of Redis would send data in the clear to where others can read it.

Names aren't looked up: a start doesn't depend on DNS, and an answer of DNS can change after it. So a name counts as
public unless its form shows that it is a private one.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy import make_url

_PRIVATE_NAMES = (
    ".internal", ".intranet", ".private", ".corp", ".home", ".lan", ".local", ".localhost", ".home.arpa", ".svc",
    ".test",
)  # fmt: skip
_ENCRYPTED = ("require", "verify-ca", "verify-full")


def public_host_of_database(url: str) -> str | None:
    """Return the first public host that a `postgresql://` URL may reach without TLS; None if there is none."""
    found = make_url(url)
    options = {name: value for name, value in found.query.items() if isinstance(value, str)}
    if found.drivername != "postgresql" or options.get("sslmode", "").casefold() in _ENCRYPTED:
        return None
    hosts = (found.host or options.get("host", "")).split(",")
    return next(filter(_is_public, hosts), None)


def public_host_of_redis(url: str) -> str | None:
    """Return the host of a `redis://` URL if it is public; None for TLS, a socket, or a private host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host if parts.scheme == "redis" and _is_public(host) else None


def _is_public(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_global
    except ValueError:
        name = host.rstrip(".").casefold()
        return "." in name and not name.startswith("/") and not name.endswith(_PRIVATE_NAMES)
