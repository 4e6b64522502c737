"""An endpoint: where the main backend wants its events, and which addresses the service may call.

The service calls https on port 443 at public addresses. It calls private addresses and other ports only inside the
networks that the settings name, and uses plain http only there and only in test mode. This module judges the text of a
URL. `webhooks.guard` judges each address at each connection, because a name may resolve to another address later.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen

from bakong_service.domain.errors import Fault
from bakong_service.domain.event import EVENT_TYPES, Event
from bakong_service.domain.webhook_secret import key_of

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DEFAULT = "default"
"""The name of the endpoint that WEBHOOK_URL and WEBHOOK_SECRET make."""
MOST_ENDPOINTS = 50
_LONGEST_URL = 2048
_LONGEST_DESCRIPTION = 200
_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?", re.IGNORECASE)
_PRINTABLE = re.compile(r"[!-\[\]-~]+")  # ASCII without spaces, controls and the backslash, which parsers disagree on
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # contains every address that IANA has assigned for the public internet
# `is_global` of some Python versions takes these networks for public. The networks outside 2000::/3 are named too: each
# leads to an IPv4 address or into a site, and they must stay refused if somebody widens that line.
_NEVER_PUBLIC: tuple[Network, ...] = (
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of a site's own (RFC 8215)
    IPv6Network("::ffff:0:0:0/96"),  # SIIT's IPv4-translated (RFC 2765)
    IPv6Network("fec0::/10"),  # site-local, deprecated (RFC 3879)
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
    IPv4Network("192.0.0.0/24"),  # protocol assignments (RFC 6890)
    IPv4Network("192.88.99.0/24"),  # 6to4 relay anycast, deprecated (RFC 7526)
)


class EndpointState(StrEnum):
    """Whether deliveries go out. A disabled endpoint keeps collecting them."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"


@frozen(kw_only=True)
class Endpoint:
    """An endpoint as it stands. `version` rises with each change that a caller made."""

    id: int
    reference: str
    name: str | None  # "default" can be changed only by the settings
    url: str
    description: str | None
    event_types: frozenset[str]  # empty: all
    state: EndpointState
    disabled_reason: str | None  # "gone", "failing", "not_configured"
    version: int
    listening_since: datetime  # the endpoint gets events that were written after this moment
    failing_since: datetime | None  # the first failure after the last success
    failures: int  # attempts that failed since
    created_at: datetime

    def wants(self, event: Event) -> bool:
        """Return whether an event is delivered to this endpoint.

        A test goes only to the endpoint that is tested, also if it didn't ask for this type. The event that an endpoint
        was disabled goes only to the other endpoints.
        """
        if event.type == "endpoint.test":
            return event.subject == self.reference
        if event.type == "endpoint.disabled" and event.subject == self.reference:
            return False
        return not self.event_types or event.type in self.event_types


@frozen(kw_only=True)
class NewEndpoint:
    """A request for a new endpoint.

    Without `event_types` it gets all events; without `secret` the service makes one.
    """

    url: str
    description: str | None = None
    event_types: frozenset[str] = frozenset()
    secret: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class EndpointChange:
    """A request to change an endpoint. A field that is None stays as it is."""

    url: str | None = None
    description: str | None = None
    event_types: frozenset[str] | None = None


@frozen(kw_only=True)
class TargetPolicy:
    """Which addresses may be called. The settings name the `private_networks`; `plain_http` is true in test mode."""

    private_networks: tuple[Network, ...] = ()
    plain_http: bool = False

    def refusal(self, address: Address, *, port: int, scheme: str) -> str | None:
        """Return why an address may not be called, in words; None if it may be called."""
        real = _unwrapped(address)
        if any(real in network for network in self.private_networks if network.version == real.version):
            return None
        if not _is_public(real):
            return f"{address} isn't a public address and isn't inside WEBHOOK_PRIVATE_NETWORKS"
        if scheme != "https" or port != 443:
            return f"{scheme} on port {port} is only allowed inside WEBHOOK_PRIVATE_NETWORKS, where {address} isn't"
        return None


@frozen
class Target:
    """A webhook URL, split into its parts once, so that the checked parts are the parts that are called."""

    scheme: str
    host: str  # without brackets
    port: int
    path: str  # with the query, as the request line has it

    @property
    def origin(self) -> tuple[str, str, int]:
        """The key under which idle connections are kept."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the Host header, with the port unless it is the default port of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def of(cls, url: str, policy: TargetPolicy) -> "Target":
        """Split a URL into its parts. Raises `ValueError` with the rule that the URL breaks."""
        parts, port = _split(url)
        host = parts.hostname or ""
        if parts.scheme == "http" and not (policy.plain_http and policy.private_networks):
            raise ValueError("it takes https://; plain http:// only in test mode inside WEBHOOK_PRIVATE_NETWORKS")
        if port != 443 and not policy.private_networks:
            raise ValueError(f"it takes port 443; port {port} only inside WEBHOOK_PRIVATE_NETWORKS")
        address = _literal(host)
        if address is not None and (refusal := policy.refusal(address, port=port, scheme=parts.scheme)):
            raise ValueError(refusal)
        path = parts.path or "/"
        return cls(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path)


def _split(url: str) -> tuple[SplitResult, int]:
    """Split a URL whose text is sound, and find its port. Raises `ValueError` with the rule that the text breaks."""
    if len(url) > _LONGEST_URL:
        raise ValueError(f"it is {len(url)} characters long; it may be {_LONGEST_URL}")
    if not _PRINTABLE.fullmatch(url):
        raise ValueError("it must be printable ASCII without spaces and backslashes; write other names in punycode")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"it isn't a URL: {error}") from None
    if parts.scheme not in _PORTS:
        raise ValueError("it takes https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not have a user name or a password: the signature proves who sends the event")
    if parts.fragment or "#" in url:
        raise ValueError("it must not have a #fragment, because that is never sent")
    host = parts.hostname or ""
    if _literal(host) is None and not _HOST.fullmatch(host):
        raise ValueError("its host name may have letters, digits, points and hyphens only")
    return parts, _PORTS[parts.scheme] if port is None else port


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 address (mapped, compatible, 6to4, Teredo, NAT64), else the address."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast:
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NEVER_PUBLIC if network.version == address.version)


def faults(
    policy: TargetPolicy,
    *,
    url: str | None = None,
    description: str | None = None,
    event_types: frozenset[str] | None = None,
    secret: str | None = None,
) -> Iterator[Fault]:
    """Yield what is wrong with a request for a new or changed endpoint, each fault with its place and its rule."""
    if url is not None:
        try:
            Target.of(url, policy)
        except ValueError as error:
            yield Fault("/url", "invalid_url", str(error))
    if description is not None and len(description) > _LONGEST_DESCRIPTION:
        yield Fault("/description", "too_long", f"it may be {_LONGEST_DESCRIPTION} characters long")
    if unknown := sorted((event_types or frozenset()) - set(EVENT_TYPES)):
        yield Fault("/event_types", "unknown_event_type", f"there are no events of type {', '.join(unknown)}")
    if secret is not None:
        try:
            key_of(secret)
        except ValueError as error:
            yield Fault("/secret", "invalid_secret", str(error))
