"""Which addresses may be called, judged where it can't be evaded: between resolving a name and connecting.

A name is resolved once for a connection, every address that it has is vetted, and the connection goes to a vetted
address itself. A name that resolves to something else a moment later gains nothing.
"""

from bakong_service.domain.endpoint import Address, Target, TargetPolicy
from bakong_service.webhooks.resolver import Resolver


class UnsafeAddress(Exception):  # noqa: N818 - what happened
    """An endpoint's name leads to an address that may not be called; the message says to which, and why not."""


async def vetted(target: Target, policy: TargetPolicy, resolver: Resolver) -> list[Address]:
    """The addresses of a target, in the order to try them. Raises `UnsafeAddress` where one of them is refused, and
    `OSError` where the name has none."""
    addresses = await resolver.addresses(target.host, target.port)
    if not addresses:
        raise OSError(f"{target.host} has no address")
    for address in addresses:
        if refusal := policy.refusal(address, port=target.port, scheme=target.scheme):
            raise UnsafeAddress(refusal)
    return addresses
