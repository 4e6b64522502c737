"""`serve` and `work`: the two long-running commands."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Iterator
from typing import Annotated, Any

import structlog
from cyclopts import Parameter

from bakong_service import app
from bakong_service.cli import opening
from bakong_service.settings import Settings
from bakong_service.web.http.application import application
from bakong_service.web.http.server import CannotListen, listen, server
from bakong_service.web.http.service import Service
from bakong_service.web.operating.test_mode import tell_simulator_the_time

log = structlog.get_logger(__name__)


def serve(*, workers: Annotated[bool, Parameter(negative="--no-workers")] = True) -> None:
    """Serve the API, and run the workers beside it.

    This is one process. On PostgreSQL, run one for each core. An empty database gets its tables at the start. SIGTERM
    or Ctrl-C stops the process within 10 seconds: it answers open requests, and finishes or leaves its work.

    Parameters
    ----------
    workers
        Run the workers in this process too. With --no-workers, run them with `bakong-service work`.
    """
    settings = opening.settings()
    with opening.alone(settings.database_url, "serve", *(["work"] if workers else [])):
        try:
            opening.attempt(lambda: _serve(settings, workers=workers))
        except CannotListen as error:
            opening.fail(str(error))


def work() -> None:
    """Run only the workers, which watch payments, deliver webhooks and apply boundaries of subscriptions.

    On PostgreSQL, you may run this many times.
    """
    settings = opening.settings()
    with opening.alone(settings.database_url, "work"):
        opening.attempt(lambda: _work(settings))


async def _serve(settings: Settings, *, workers: bool) -> None:
    async with app.opened(settings, prepared=True) as service:
        if settings.is_test:
            await tell_simulator_the_time(service)
        http, door = server(application(service)), listen(settings.host, settings.port)
        keeper = app.timekeeper(service)
        loops = app.followers(service, keeper) + (app.workers(service, keeper) if workers else [])
        _keep_what_is_loaded()
        async with app.working(service, loops):
            with _stopping(service):
                log.info("serving", url=f"http://{settings.host}:{door.getsockname()[1]}")
                serving = asyncio.create_task(http.serve(sockets=[door]))
                stopped = asyncio.create_task(service.stopping.wait())
                await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
                service.stopping.set()
                http.should_exit = True
                await serving
    log.info("stopped")


async def _work(settings: Settings) -> None:
    async with app.opened(settings, prepared=True) as service:
        keeper = app.timekeeper(service)
        async with app.working(service, app.followers(service, keeper) + app.workers(service, keeper)):
            with _stopping(service):
                log.info("working")
                await service.stopping.wait()
    log.info("stopped")


def _keep_what_is_loaded() -> None:
    """Let the garbage collector pass over what was loaded for the start, which lasts as long as the process.

    Looking through it again held every request up for 0.1 to 0.3 s, each few seconds under load. Looking through a
    thousand open connections takes 0.05 s, and next to nothing is found, so that is done five times as rarely.
    """
    gc.collect()
    gc.freeze()
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, 5 * old)


@contextlib.contextmanager
def _stopping(service: Service) -> Iterator[None]:
    """Set `service.stopping` when the process is asked to stop. A second Ctrl-C stops it at once."""
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def stop(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(service.stopping.set)
        signal.signal(number, before[number])

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for restored, handler in before.items():
            signal.signal(restored, handler)
