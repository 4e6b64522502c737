"""What DATABASE_URL says holds for the pool and for the connection that listens, directly and behind PgBouncer."""

import asyncio
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import URL, make_url

from bakong_service.settings.database_url import OPTIONS, database_url
from bakong_service.storage.engine import signals
from bakong_service.storage.engine.executor import UnfitDatabase
from bakong_service.storage.engine.opening import open_database
from bakong_service.storage.engine.postgresql import PostgresqlExecutor
from kit.link import Link

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


@asynccontextmanager
async def started(url: URL) -> AsyncIterator[PostgresqlExecutor]:
    """An executor on a URL that the settings take, started as the service starts it."""
    text = database_url(url.render_as_string(hide_password=False)).reveal()
    executor = await open_database(text, bring_forward=False, pool=2)
    assert isinstance(executor, PostgresqlExecutor)
    try:
        yield executor
    finally:
        await executor.close()


async def must_hear(executor: PostgresqlExecutor) -> None:
    """Signal until it is heard: a signal is a hint, and the connection that listens may not stand yet."""
    heard = asyncio.Event()
    executor.listen(signals.PAYMENTS, lambda _: heard.set())
    async with asyncio.timeout(20):
        while not heard.is_set():
            await executor.run(lambda connection: signals.signal(connection, signals.PAYMENTS, "pay_1"))
            with suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), 0.1)


async def show(executor: PostgresqlExecutor, name: str) -> str:
    return await executor.read(lambda connection: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()))


QUERIES: list[tuple[dict[str, str], str, str]] = [
    ({}, "application_name", "bakong-service"),
    ({"sslmode": "disable"}, "statement_timeout", "5s"),
    ({"sslmode": "prefer"}, "idle_in_transaction_session_timeout", "10s"),
    ({"ssl_min_protocol_version": "TLSv1.2", "ssl_max_protocol_version": "TLSv1.3"}, "timezone", "UTC"),
    ({"sslnegotiation": "postgres"}, "timezone", "UTC"),
    ({"connect_timeout": "7"}, "statement_timeout", "5s"),
    ({"application_name": "till 2"}, "application_name", "till 2"),
    ({"options": "-c search_path=public,pg_temp"}, "search_path", "public,pg_temp"),
    ({"options": "-c statement_timeout=1ms"}, "statement_timeout", "5s"),
    ({"target_session_attrs": "read-write"}, "transaction_read_only", "off"),
]


@pytest.mark.parametrize(("query", "name", "value"), QUERIES)
async def test_every_option_works_for_the_pool_and_for_the_listener(
    postgresql_url: str, query: dict[str, str], name: str, value: str
) -> None:
    async with started(make_url(postgresql_url).update_query_dict(query)) as executor:
        assert await show(executor, name) == value
        await must_hear(executor)


async def test_host_port_user_and_database_may_be_options(postgresql_url: str) -> None:
    url = make_url(postgresql_url)
    query = {"host": url.host or "127.0.0.1", "port": str(url.port or 5432), "user": url.username or "postgres"}
    if url.query.get("host"):
        pytest.skip("this server is named by an option already")
    bare = URL.create("postgresql", password=url.password, query={**query, "dbname": url.database or ""})
    async with started(bare) as executor:
        await must_hear(executor)


def test_every_option_has_a_test() -> None:
    named = {name for query, _, _ in QUERIES for name in query} | {"host", "port", "user", "dbname", "password"}
    with_a_file = {"sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "passfile"}
    assert OPTIONS.keys() - named == with_a_file


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that it signs itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def tls_url(link: Link, certificate: Path) -> AsyncIterator[URL]:
    """This test's database behind a server that speaks TLS, and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    tasks: set[asyncio.Task[None] | None] = set()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        if await reader.readexactly(8) != b"\x00\x00\x00\x08\x04\xd2\x16\x2f":  # not the request for TLS
            writer.close()
            return
        writer.write(b"S")
        await writer.start_tls(context)
        server = await link.connect()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(pump(reader, server[1]), pump(server[0], writer))

    door = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield link.url.set(port=door.sockets[0].getsockname()[1])
    door.close()
    for task in tasks:
        if task is not None:
            task.cancel()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_tls_is_spoken_by_the_pool_and_by_the_listener(tls_url: URL, certificate: Path, mode: str) -> None:
    query = {"sslmode": mode} | ({} if mode == "require" else {"sslrootcert": str(certificate)})
    async with started(tls_url.update_query_dict(query)) as executor:
        await must_hear(executor)


def who_may_open(host: str) -> str:
    """A user other than root who may reach the server: of a directory of sockets its owner."""
    import pwd  # not on Windows, where nobody is root

    owner = Path(host).stat().st_uid if Path(host).is_dir() else 0
    return pwd.getpwuid(owner).pw_name if owner else "nobody"


@asynccontextmanager
async def pgbouncer(folder: Path, url: URL, mode: str) -> AsyncIterator[URL]:
    """A PgBouncer before a database."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer isn't installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    host = url.query.get("host") or url.host or "127.0.0.1"
    password = f" password={url.password}" if url.password else ""
    config = folder / "pgbouncer.ini"
    target = f"host={host} port={url.port or 5432} user={url.username or 'postgres'}{password}"
    config.write_text(
        f"[databases]\n{url.database} = {target}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = {mode}\n"
        "default_pool_size = 20\nunix_socket_dir =\n"
    )
    for path in (folder, *folder.parents[:2], config):
        path.chmod(0o755)
    user = ["-u", who_may_open(str(host))] if os.geteuid() == 0 else []  # it refuses to run as root
    process = await asyncio.create_subprocess_exec(program, *user, str(config), stderr=subprocess.DEVNULL)
    through = url.set(host="127.0.0.1", port=port, query={})
    try:
        async with asyncio.timeout(10):
            while True:
                with suppress(OSError):
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                await asyncio.sleep(0.02)
        yield through
    finally:
        process.terminate()
        await process.wait()


async def test_pgbouncer_in_session_mode_works_and_keeps_the_limits(postgresql_url: str, tmp_path: Path) -> None:
    async with pgbouncer(tmp_path, make_url(postgresql_url), "session") as url, started(url) as executor:
        assert await show(executor, "statement_timeout") == "5s"
        assert await show(executor, "idle_in_transaction_session_timeout") == "10s"
        await must_hear(executor)


async def test_pgbouncer_in_transaction_mode_is_refused_by_name(postgresql_url: str, tmp_path: Path) -> None:
    async with pgbouncer(tmp_path, make_url(postgresql_url), "transaction") as url:
        with pytest.raises(UnfitDatabase, match="a pooler in transaction mode"):
            async with started(url):
                pass


@pytest.fixture
def pooled(postgresql_url: str) -> Callable[[str], Awaitable[URL]]:
    """Make the server answer as one behind a transaction pooler would: its processes are what a test says."""

    async def make(answer: str) -> URL:
        link = await asyncpg.connect(postgresql_url)
        await link.execute(
            "CREATE SCHEMA pooler; CREATE SEQUENCE pooler.session; "
            f"CREATE FUNCTION pooler.pg_backend_pid() RETURNS integer LANGUAGE sql AS $$ SELECT ({answer})::integer $$"
        )
        await link.close()
        query = {"options": "-c search_path=pooler,pg_catalog,public"}
        return make_url(postgresql_url).update_query_dict(query)

    return make


@pytest.mark.parametrize("answer", ["7", "nextval('pooler.session')"], ids=["one for two", "two for one"])
async def test_a_pooler_that_shares_sessions_is_refused(pooled: Callable[[str], Awaitable[URL]], answer: str) -> None:
    with pytest.raises(UnfitDatabase, match="pool_mode = session"):
        async with started(await pooled(answer)):
            pass


async def test_a_pooler_that_keeps_sessions_is_taken(pooled: Callable[[str], Awaitable[URL]]) -> None:
    async with started(await pooled("pg_catalog.pg_backend_pid() + 1")) as executor:
        await must_hear(executor)


async def test_a_database_that_isnt_in_utf8_is_refused_with_what_to_do(postgresql_url: str) -> None:
    name = f"{make_url(postgresql_url).database}_l1"
    link = await asyncpg.connect(postgresql_url)
    await link.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        with pytest.raises(UnfitDatabase, match="keeps its texts in LATIN1"):
            async with started(make_url(postgresql_url).set(database=name)):
                pass
    finally:
        await link.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await link.close()
