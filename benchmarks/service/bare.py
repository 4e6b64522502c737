"""A Starlette application that answers every request with 280 constant bytes, on the uvicorn of the service: what any
service in Python costs at least. `python -m benchmarks.service.bare` prints its port."""

import asyncio

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config, Server

from bakong_service.web.http.server import listen

BODY = b"x" * 280


async def answer(request: Request) -> Response:
    await request.body()
    return Response(BODY, media_type="application/json")


def main() -> None:
    door = listen("127.0.0.1", 0)
    print(door.getsockname()[1], flush=True)
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    server = Server(Config(app, lifespan="off", ws="none", log_config=None, access_log=False))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=[door]))


if __name__ == "__main__":
    main()
