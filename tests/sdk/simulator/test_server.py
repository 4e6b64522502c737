"""The simulator over real HTTP."""

import socket
import threading
from typing import Any

import httpx
import pytest

from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import SimulatorServer, serve

HEADERS = {"authorization": "Bearer simulator"}
MD5 = {"md5": "0" * 32}


@pytest.fixture(scope="module")
def shared() -> Any:
    """One server for this module; each test gets its simulator reset."""
    bakong = BakongSimulator()
    with serve(bakong) as url:
        yield bakong, url


@pytest.fixture
def bakong(shared: Any) -> Any:
    shared[0].reset()
    return shared[0]


@pytest.fixture
def client(shared: Any) -> Any:
    with httpx.Client(base_url=shared[1], headers=HEADERS, trust_env=False) as client:
        yield client


def test_a_code_paid_over_http_is_found_over_http(bakong: BakongSimulator, client: httpx.Client, payload: str) -> None:
    paid = client.post("/_simulator/pay", json={"qr": payload}).json()
    answer = client.post("/v1/check_transaction_by_md5", json={"md5": paid["md5"]})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["data"]["hash"] == paid["hash"]


def test_the_server_says_it_is_nginx_where_bakong_s_does(bakong: BakongSimulator, client: httpx.Client) -> None:
    answer = client.post("/v1/nothing")
    assert (answer.status_code, answer.headers["server"]) == (404, "nginx")


def test_a_dropped_connection_ends_without_a_byte_and_the_server_lives_on(
    bakong: BakongSimulator, client: httpx.Client
) -> None:
    bakong.inject("dropped")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.post("/v1/check_transaction_by_md5", json=MD5)
    assert client.post("/v1/check_transaction_by_md5", json=MD5).status_code == 200


def test_a_slow_answer_takes_its_time(bakong: BakongSimulator, client: httpx.Client) -> None:
    bakong.inject("slow", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/check_transaction_by_md5", json=MD5, timeout=0.1)
    assert client.post("/v1/check_transaction_by_md5", json=MD5).status_code == 200


def test_a_call_over_a_mebibyte_is_http_413(bakong: BakongSimulator, client: httpx.Client) -> None:
    assert client.post("/v1/check_transaction_by_md5", content=b" " * (1024 * 1024 + 1)).status_code == 413
    assert len(bakong.requests) == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_answered_as_in_memory(bakong: BakongSimulator, client: httpx.Client, method: str) -> None:
    assert client.request(method, "/v1/check_transaction_by_md5").status_code == 405


def test_several_threads_at_once_are_all_counted(bakong: BakongSimulator, shared: Any) -> None:
    def call() -> None:
        with httpx.Client(base_url=shared[1], headers=HEADERS, trust_env=False) as client:
            for _ in range(20):
                client.post("/v1/check_transaction_by_md5", json=MD5)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bakong.calls["check_transaction_by_md5"] == 80


def test_the_port_is_free_again_when_it_is_over() -> None:
    with serve(BakongSimulator()) as url:
        port = int(url.rsplit(":", 1)[1])
    with serve(BakongSimulator(), port=port) as again:
        assert again == url


def test_a_taken_port_is_an_error_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match=r".+"):
        SimulatorServer(BakongSimulator(), port=taken.getsockname()[1])


@pytest.mark.anyio
async def test_another_asgi_server_can_have_it_too(payload: str) -> None:
    bakong = BakongSimulator()
    transport = httpx.ASGITransport(bakong.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bakong", headers=HEADERS) as client:
        md5 = (await client.post("/_simulator/pay", json={"qr": payload})).json()["md5"]
        assert (await client.post("/v1/check_transaction_by_md5", json={"md5": md5})).json()["errorCode"] is None
        bakong.inject("dropped")
        with pytest.raises(ConnectionAbortedError):
            await client.post("/v1/check_transaction_by_md5", json=MD5)
