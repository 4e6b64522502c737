"""Which addresses may be called, judged where it can't be evaded: between resolving a name and connecting.

A name is resolved once, every address that it has is vetted, and the connection goes to a vetted address itself. A name
that resolves to something else a moment later gains nothing. Host header and TLS server name stay the name's.
"""

from collections.abc import Iterable
from typing import Any

import httpcore

from bakong_service.domain.endpoint import TargetPolicy
from bakong_service.webhooks.resolver import Resolver


class UnsafeAddress(Exception):  # noqa: N818 - what happened
    """An endpoint's name leads to an address that may not be called; the message says to which, and why not."""


class Guard(httpcore.AsyncNetworkBackend):
    """Connects like the backend that it wraps, for one scheme, and only where the policy allows it."""

    def __init__(
        self, policy: TargetPolicy, scheme: str, resolver: Resolver, backend: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._policy = policy
        self._scheme = scheme
        self._resolver = resolver
        self._backend = backend or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first vetted address that answers. Raises `UnsafeAddress` where one of them is refused."""
        addresses = await self._resolver.addresses(host, port)
        for address in addresses:
            if refusal := self._policy.refusal(address, port=port, scheme=self._scheme):
                raise UnsafeAddress(refusal)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._backend.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure
