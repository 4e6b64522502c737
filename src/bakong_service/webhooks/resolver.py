"""Resolves names into addresses, so that a name server which doesn't answer delays only its own names."""

import asyncio
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address

from bakong_service.domain.endpoint import Address

Lookup = Callable[[str, int], list[Address]]
"""A blocking function that returns every address of a host and a port. Raises `OSError`."""


def system_lookup(host: str, port: int) -> list[Address]:
    """Return the addresses that the system gives, with its hosts file, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A scope, as in fe80::1%eth0, is cut off: webhooks don't go to link-local addresses anyway.
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


class Resolver:
    """Looks names up in its own threads, at most one thread per name.

    The event loop's shared pool of threads is small, and a name server may take half a minute to fail.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._under_way: dict[tuple[str, int], asyncio.Future[list[Address]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return every address of a host. Raises `OSError`.

        If the same name is being looked up already, wait for that answer.
        """
        future = self._under_way.get((host, port))
        if future is None:
            future = asyncio.get_running_loop().create_future()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())  # the caller may have given up
            self._under_way[host, port] = future
            threading.Thread(target=self._run, args=(host, port, future), name=f"resolve-{host}", daemon=True).start()
        return await asyncio.shield(future)

    def _run(self, host: str, port: int, future: asyncio.Future[list[Address]]) -> None:
        found: list[Address] = []
        failure: Exception | None = None
        try:
            found = self._lookup(host, port)
        except Exception as error:  # noqa: BLE001 - handed to the callers that wait
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
            return  # the loop is closed, so no caller waits any more
