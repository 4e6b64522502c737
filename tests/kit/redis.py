"""A Redis of a test's own, which keeps nothing on a disk."""

import asyncio
from pathlib import Path

from attrs import define, field

from bakong_service.settings import Secret


@define
class Redis:
    """A Redis of a test's own. It forgets everything when it is killed."""

    program: str
    port: int
    folder: Path
    process: asyncio.subprocess.Process = field(init=False)

    @property
    def url(self) -> Secret:
        """The value of REDIS_URL."""
        return Secret(f"redis://127.0.0.1:{self.port}")

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = await asyncio.create_subprocess_exec(
            *(self.program, "--port", str(self.port), "--save", "", "--dir", str(self.folder)),
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    async def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL)."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
