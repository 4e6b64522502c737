"""Names into addresses, so that a name server that hangs holds up nothing but its own name."""

import asyncio
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address

from bakong_service.domain.endpoint import Address

Lookup = Callable[[str, int], list[Address]]
"""Blocking: every address of a host; raises `OSError`."""


def system_lookup(host: str, port: int) -> list[Address]:
    """What the system says, hosts file included, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A scope, as in fe80::1%eth0, is cut off: link-local addresses are no place for webhooks.
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


class Resolver:
    """Looks names up in threads of its own, one thread a name at most: the shared pool of the event loop is small, and
    a name server may take half a minute to say nothing."""

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._under_way: dict[tuple[str, int], asyncio.Future[list[Address]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Every address of a host. Raises `OSError`. Whoever asks for a name that is being asked for waits with it."""
        future = self._under_way.get((host, port))
        if future is None:
            future = asyncio.get_running_loop().create_future()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody may have left
            self._under_way[host, port] = future
            threading.Thread(target=self._run, args=(host, port, future), name=f"resolve-{host}", daemon=True).start()
        return await asyncio.shield(future)

    def _run(self, host: str, port: int, future: asyncio.Future[list[Address]]) -> None:
        found: list[Address] = []
        failure: Exception | None = None
        try:
            found = self._lookup(host, port)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            failure = error

        def settle() -> None:
            del self._under_way[host, port]
            if failure is None:
                future.set_result(found)
            else:
                future.set_exception(failure)

        try:
            future.get_loop().call_soon_threadsafe(settle)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more
