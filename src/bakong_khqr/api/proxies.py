"""Which hosts `NO_PROXY` lets through without a proxy. The environment is an argument."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from bakong_khqr.errors import InvalidRequest

# A host with a port (`shop.example:8443`, `[::1]:80`). An IPv6 address without brackets has only its own colons.
_WITH_PORT = re.compile(r"(\[.*\]|[^:\[\]]*):([0-9]{1,5})\Z")
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")


def goes_direct(host: str, port: int, no_proxy: str) -> bool:
    """Return whether a `NO_PROXY` of names, addresses and networks, IPv6 included, has this host.

    `host` is in small letters, without brackets around an IPv6 address and without a dot at its end. `no_proxy` is the
    variable's text, entries with commas between them.

    `example.com` also means all hosts that end in `.example.com`, and `.example.com` means only those. An entry may
    have a port, and a scheme, which is ignored. Every entry is read, and a wrong one raises `InvalidRequest`.
    """
    entries = [entry.strip() for entry in no_proxy.split(",")]
    found = [_has(entry, number, host, port) for number, entry in enumerate(entries, 1) if entry]
    return any(found)


def _has(entry: str, number: int, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, wanted = entry.rpartition("://")[2], port
    if (parts := _WITH_PORT.match(name)) is not None:
        name, wanted = parts[1], int(parts[2])
    if (inside := _is_in_network(host, name.strip("[]").partition("%")[0])) is not None:
        return inside and wanted == port
    domain = name.removeprefix("*").removeprefix(".").rstrip(".").lower()
    if not _NAME.match(domain):
        raise InvalidRequest(
            f"NO_PROXY: its entry {number} must be a host, an address or a network, such as example.com, ::1 or "
            "10.0.0.0/8; the value isn't shown, because it may have a password"
        )
    only_below = name.startswith((".", "*."))
    return wanted == port and (host.endswith("." + domain) or (host == domain and not only_below))


def _is_in_network(host: str, network: str) -> bool | None:
    """Return whether the host is an address in the network; `None` if the network isn't one."""
    try:
        wanted = ip_network(network, strict=False)
    except ValueError:
        return None
    try:
        return ip_address(host.partition("%")[0]) in wanted
    except ValueError:
        return False
