"""A Redis of a test's own."""

import asyncio

from attrs import frozen

from bakong_service.settings import Secret


@frozen
class Redis:
    """A Redis of a test's own."""

    process: asyncio.subprocess.Process
    url: Secret
