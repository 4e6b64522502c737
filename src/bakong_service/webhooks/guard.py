"""Checks the addresses of an endpoint after its name was resolved and before the connection is made.

For each connection the name is resolved once, every address is checked, and the connection goes to a checked address.
So it doesn't help an attacker if the name resolves to another address a moment later.
"""

from bakong_service.domain.endpoint import Address, Target, TargetPolicy
from bakong_service.webhooks.resolver import Resolver


class UnsafeAddress(Exception):  # noqa: N818 - what happened
    """An endpoint's name has an address that may not be called. The message says which address, and why."""


async def vetted(target: Target, policy: TargetPolicy, resolver: Resolver) -> list[Address]:
    """Return the addresses of a target, in the order in which to try them.

    Raises `UnsafeAddress` if one of them may not be called, and `OSError` if the name has none.
    """
    addresses = await resolver.addresses(target.host, target.port)
    if not addresses:
        raise OSError(f"{target.host} has no address")
    for address in addresses:
        if refusal := policy.refusal(address, port=target.port, scheme=target.scheme):
            raise UnsafeAddress(refusal)
    return addresses
