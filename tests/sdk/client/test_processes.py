"""A client that is used before a fork: parent and children never read each other's answers.

What forks is a Python process of its own, because pytest has threads. Bakong is the simulator, over TLS.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from bakong_khqr import KHQR
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.exchange import SimulatorRequest

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"), pytest.mark.uncounted]

CHILDREN = 4
CODES = 24
ROUNDS = [3, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]


@dataclass
class Shop:
    """A Bakong with codes of which every other is paid, each with an amount of its own."""

    url: str
    environment: dict[str, str]
    amounts: dict[str, str | None]
    unreadable: list[str]
    """What the server couldn't read, because two processes wrote to one connection."""

    def run(self, script: str, *arguments: str) -> Any:
        """Run a script in a Python of its own and return the JSON that it prints."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, self.url, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    simulator, amounts = BakongSimulator(), {}
    for number in range(CODES):
        code = KHQR.individual(
            bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee", currency="KHR", amount=1000 + number,
            bill_number=f"INV-{number}", expires_in=timedelta(hours=1),
        )  # fmt: skip
        amounts[code.md5] = str(1000 + number) if number % 2 else None
        if number % 2:
            simulator.pay(code)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    server = Server(("127.0.0.1", 0), answering(simulator))
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    environment = os.environ | {"SSL_CERT_FILE": str(tmp_path / "authority.pem"), "NO_PROXY": "127.0.0.1"}
    yield Shop(f"https://127.0.0.1:{server.server_port}", environment, amounts, server.unreadable)
    server.shutdown()
    thread.join()
    server.server_close()


class Server(ThreadingHTTPServer):
    """A server that reads a request only when it answered the one before, as the common ones do.

    Its answer to the first of two requests on one connection therefore goes out, even if the second can't be read.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.unreadable: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):  # a client may just go away
            self.unreadable.append(str(error))


def answering(simulator: BakongSimulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # an answer is one record of TLS, which whoever reads first can read alone

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = simulator.handle(SimulatorRequest(method="POST", path=self.path, headers=headers, body=body))
            time.sleep(0.02)  # the time that Bakong takes, in which other processes write to a shared connection
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name in the standard library
            """Keep the test's output short."""

    return Handler


POOL = """
import json, multiprocessing, sys
from bakong_khqr.client import BakongClient

client = BakongClient("simulator", base_url=sys.argv[1])

def look(md5):
    found = client.transaction_by_md5(md5)
    return found and str(found.amount)

def rounds(count, md5s):
    for _ in range(count):
        client.transaction_by_md5("0" * 32)
        with multiprocessing.get_context("fork").Pool(int(sys.argv[2])) as pool:
            yield pool.map(look, md5s, chunksize=1)

md5s = json.loads(sys.argv[4])
print(json.dumps(list(rounds(int(sys.argv[3]), md5s))))
"""

ASYNC_POOL = """
import asyncio, json, multiprocessing, sys
from bakong_khqr.async_client import AsyncBakongClient

client = AsyncBakongClient("simulator", base_url=sys.argv[1])

async def look_at(md5s):
    found = await asyncio.gather(*map(client.transaction_by_md5, md5s))
    return [each and str(each.amount) for each in found]

def look(md5s):
    return asyncio.run(look_at(md5s))

def rounds(count, md5s, children):
    with asyncio.Runner() as runner:
        for _ in range(count):
            runner.run(client.transaction_by_md5("0" * 32))
            # A process each for every share, since a client stays in the event loop where it was first used.
            with multiprocessing.get_context("fork").Pool(children, maxtasksperchild=1) as pool:
                shares = pool.map(look, [md5s[start::children] for start in range(children)], chunksize=1)
            yield [shares[place % children][place // children] for place in range(len(md5s))]
        runner.run(client.aclose())

md5s = json.loads(sys.argv[4])
print(json.dumps(list(rounds(int(sys.argv[3]), md5s, int(sys.argv[2])))))
"""


@pytest.mark.parametrize("script", [pytest.param(POOL, id="blocking"), pytest.param(ASYNC_POOL, id="asynchronous")])
@pytest.mark.parametrize("rounds", ROUNDS)
def test_forked_processes_find_their_own_payments_and_no_others(shop: Shop, script: str, rounds: int) -> None:
    seen = shop.run(script, str(CHILDREN), str(rounds), json.dumps(list(shop.amounts)))
    assert seen == [list(shop.amounts.values())] * rounds
    assert shop.unreadable == []


GUNICORN_APP = """
import os
from bakong_khqr.client import BakongClient

client = BakongClient("simulator", base_url=os.environ["SHOP"])
client.transaction_by_md5("0" * 32)

def app(environ, start_response):
    found = client.transaction_by_md5(environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(found.amount).encode() if found else b""]
"""


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_the_workers_of_gunicorn_find_their_own_payments_when_the_app_is_preloaded(
    shop: Shop, rounds: int, tmp_path: Path
) -> None:
    pytest.importorskip("gunicorn")
    (tmp_path / "preloaded.py").write_text(GUNICORN_APP, encoding="utf-8")
    for _ in range(rounds):
        assert served_by_gunicorn(shop, tmp_path) == list(shop.amounts.values())
    assert shop.unreadable == []


def served_by_gunicorn(shop: Shop, folder: Path) -> list[str | None]:
    """What the workers of one gunicorn say of every code."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        options = [
            "--preload", "--workers", str(CHILDREN), "--bind", f"fd://{door.fileno()}", "--chdir", str(folder),
            "--log-level", "warning",
        ]  # fmt: skip
        gunicorn = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "gunicorn", *options, "preloaded:app"],
            env=shop.environment | {"SHOP": shop.url},
            pass_fds=[door.fileno()],
        )
        try:
            with httpx.Client(timeout=30, trust_env=False) as http, ThreadPoolExecutor(2 * CHILDREN) as pool:
                answers = pool.map(http.get, [f"{url}/{md5}" for md5 in shop.amounts])
                return [answer.raise_for_status().text or None for answer in answers]
        finally:
            gunicorn.terminate()
            gunicorn.wait(30)


FORK_ONCE = """
import json, multiprocessing, sys

def in_a_child(ask):
    def answer(sending):
        try:
            sending.send(ask())
        except Exception as error:
            sending.send(f"{type(error).__name__}: {error}")
    receiving, sending = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=answer, args=(sending,))
    child.start()
    answer = receiving.recv() if receiving.poll(20) else "no answer"
    child.kill()
    child.join()
    return answer
"""

HELD_LOCKS = (
    FORK_ONCE
    + """
from bakong_khqr.calling.budget import DailyBudget
from bakong_khqr.client import BakongClient

budget = DailyBudget(100)
client = BakongClient("refused", email="simulator@example.test", base_url=sys.argv[1], budget=budget)
own = client._sender._own.here
own.in_use.needs_renewal(own.in_use.token, None, client._clock())  # a renewal that is under way in a thread
with own.renewing, own.telling, budget._lock.here:
    print(json.dumps(in_a_child(lambda: client.transaction_by_md5("0" * 32))))
"""
)


def test_a_lock_that_is_held_at_the_fork_does_not_hold_the_child_up(shop: Shop) -> None:
    assert shop.run(HELD_LOCKS) is None


RENEWED = (
    FORK_ONCE
    + """
from bakong_khqr.client import BakongClient

client = BakongClient("refused", email="simulator@example.test", base_url=sys.argv[1])
client.transaction_by_md5("0" * 32)
print(json.dumps(in_a_child(lambda: client.token.reveal() != "refused")))
"""
)


def test_a_child_has_the_token_that_its_parent_renewed(shop: Shop) -> None:
    assert shop.run(RENEWED) is True


CLOSED_IN_THE_CHILD = (
    FORK_ONCE
    + """
from bakong_khqr.client import BakongClient

client = BakongClient("simulator", base_url=sys.argv[1])
client.transaction_by_md5("0" * 32)
connections = client._sender._http.here

def close():
    client.transaction_by_md5("0" * 32)
    own = client._sender._http.here
    client.close()
    return [connections.is_closed, own.is_closed, own is connections]

in_child = in_a_child(close)
[parents] = connections._transport._pool.connections
client.transaction_by_md5("0" * 32)
print(json.dumps([in_child, connections._transport._pool.connections == [parents]]))
"""
)


def test_a_child_that_closes_its_client_leaves_the_connections_of_its_parent(shop: Shop) -> None:
    assert shop.run(CLOSED_IN_THE_CHILD) == [[False, True, False], True]


GIVEN = (
    FORK_ONCE
    + """
import asyncio, httpx
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.calling.budget import DailyBudget
from bakong_khqr.client import BakongClient
from bakong_khqr.errors import BakongError

budget = DailyBudget(100)
client = BakongClient("simulator", base_url=sys.argv[1], http_client=httpx.Client(), budget=budget)

def refused():
    try:
        client.transaction_by_md5("0" * 32)
    except BakongError as error:
        return f"{type(error).__name__}: {error} {budget.used} calls"

asynchronous = AsyncBakongClient("simulator", base_url=sys.argv[1], http_client=httpx.AsyncClient())
print(json.dumps([
    in_a_child(refused),
    in_a_child(lambda: asyncio.run(asynchronous.transaction_by_md5("0" * 32))),
]))
"""
)


def test_an_http_client_that_was_given_before_the_fork_is_refused_in_the_child(shop: Shop) -> None:
    blocking, asynchronous = shop.run(GIVEN)
    assert blocking.startswith("InvalidRequest: http_client: it was made before this process was forked")
    assert "with its own httpx.Client, in each process after the fork" in blocking
    assert blocking.endswith(" 0 calls")
    assert "with its own httpx.AsyncClient, in each process after the fork" in asynchronous
