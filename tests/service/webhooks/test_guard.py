"""Which addresses may be called (API7 of OWASP): judged at each connection, whatever the name said before."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from bakong_service.domain.endpoint import Address, Target, TargetPolicy
from bakong_service.webhooks.connection import Connection
from bakong_service.webhooks.resolver import Resolver
from bakong_service.webhooks.sender import Sender
from kit.receiver import Receiver
from kit.there import there

pytestmark = pytest.mark.anyio
PUBLIC = TargetPolicy()
PRIVATE = TargetPolicy(private_networks=(ip_network("127.0.0.0/8"), ip_network("fd00::/8")))
TEST = TargetPolicy(private_networks=(ip_network("127.0.0.0/8"),), plain_http=True)


class NoNetwork:
    """Notes where it was told to connect to, and connects nowhere."""

    def __init__(self) -> None:
        self.called: list[tuple[str, int]] = []

    async def connect(self, address: Address, target: Target, tls: ssl.SSLContext | None) -> Connection:
        self.called.append((str(address), target.port))
        raise ConnectionRefusedError("no network")


def lookup(host: str, port: int) -> list[Address]:
    """What a lenient system makes of a name: numbers however spelt, localhost, and for the rest a public address."""
    host = host.lower().rstrip(".")
    if host == "localhost":
        return [ip_address("127.0.0.1")]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return [ip_address("93.184.216.34")]
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:0:0:0:0:80ff:fffe]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fd00::1]/",
        "https://[ff02::1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "http://example.com/",
        "http://example.com:443/",
        "https://example.com:8443/",
        "https://example.com:0/",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com#@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "https://127.0.0.1%2f@example.com/",
        "https://127.0.0.1%00.example.com/",
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://exam\tple.com/",
        "https://example.com/ HTTP/1.1\r\nX: y",
        " https://example.com/",
        "https://",
        "https:///path",
        "https://[::1",
        "https://example.com:99999/",
        "https://example.com:https/",
        "//example.com/",
        "gopher://example.com/",
        "file:///etc/passwd",
        "https://" + "a" * 2048,
    ],
)
async def test_a_hostile_url_is_never_called(url: str) -> None:
    network = NoNetwork()
    sender = Sender(PUBLIC, resolver=Resolver(lookup), connect=network.connect)
    answer = await sender.post(url, {}, b"{}")
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("refused: ")
    assert network.called == []
    sender.close()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", Target("https", "example.com", 443, "/")),
        ("https://example.com:443/a/b?c=d&e=%2F", Target("https", "example.com", 443, "/a/b?c=d&e=%2F")),
        ("https://EXAMPLE.com/A", Target("https", "example.com", 443, "/A")),
        ("https://93.184.216.34/", Target("https", "93.184.216.34", 443, "/")),
        ("https://[2606:2800:220:1::]/", Target("https", "2606:2800:220:1::", 443, "/")),
        ("https://xn--e1afmkfd.xn--p1ai/", Target("https", "xn--e1afmkfd.xn--p1ai", 443, "/")),
    ],
)
def test_a_public_https_url_is_taken_apart(url: str, target: Target) -> None:
    assert Target.of(url, PUBLIC) == target


@pytest.mark.parametrize(
    ("policy", "url", "rule"),
    [
        (PUBLIC, "http://backend:8080/", "takes https://; plain http:// only in test mode"),
        (PRIVATE, "http://127.0.0.1:8080/", "takes https://; plain http:// only in test mode"),
        (PRIVATE, "https://127.0.0.1:8443/", None),
        (PRIVATE, "https://[fd00::5]:8443/", None),
        (PRIVATE, "https://10.0.0.1:8443/", "10.0.0.1 isn't a public address and isn't inside WEBHOOK_PRIVATE"),
        (PRIVATE, "https://93.184.216.34:8443/", "https on port 8443 is only allowed inside WEBHOOK_PRIVATE_NETWORKS"),
        (TEST, "http://127.0.0.1:8080/", None),
        (TEST, "http://[::ffff:127.0.0.1]:8080/", None),
        (TEST, "http://93.184.216.34/", "http on port 80 is only allowed inside WEBHOOK_PRIVATE_NETWORKS"),
        (TEST, "http://93.184.216.34:443/", "http on port 443 is only allowed inside WEBHOOK_PRIVATE_NETWORKS"),
    ],
)
def test_only_private_networks_of_the_settings_are_excepted(policy: TargetPolicy, url: str, rule: str | None) -> None:
    if rule is None:
        assert Target.of(url, policy).path == "/"
    else:
        with pytest.raises(ValueError, match=r"it takes|only allowed|isn't a public") as caught:
            Target.of(url, policy)
        assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("64:ff9b:1::7f00:1", "64:ff9b:1::/48"),
        ("::ffff:0:7f00:1", "::ffff:0:0:0/96"),
        ("fec0::1", "fec0::/10"),
        ("3fff::1", "3fff::/20"),
        ("3fff:fff:ffff::1", "3fff::/20"),
        ("192.88.99.1", "192.88.99.0/24"),
        ("192.0.0.8", "192.0.0.0/24"),
        ("2002:c058:6301::1", "192.88.99.0/24"),  # 6to4 of the same
        ("1::1", "1::/16"),
        ("4000::1", "4000::/3"),
        ("5f00::1", "5f00::/16"),
        ("e000::1", "e000::/4"),
    ],
)
def test_what_python_takes_for_public_and_isnt_is_called_only_where_the_settings_name_it(
    address: str, network: str
) -> None:
    """RFC 8215, 2765, 3879, 9637, 7526, 6890; and what IANA has given to nobody (ipv6-address-space)."""
    named = TargetPolicy(private_networks=(ip_network(network),))
    assert PUBLIC.refusal(ip_address(address), port=443, scheme="https") is not None
    assert named.refusal(ip_address(address), port=443, scheme="https") is None


@given(st.ip_addresses())
def test_what_isnt_public_is_never_called(address: Address) -> None:
    refused = PUBLIC.refusal(address, port=443, scheme="https") is not None
    if not address.is_global or address.is_multicast:
        assert refused
    assert PUBLIC.refusal(address, port=80, scheme="http") is not None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_an_ipv6_coat_is_judged_as_itself(inner: Address) -> None:
    bare = PUBLIC.refusal(inner, port=443, scheme="https") is None
    for coat in (f"::ffff:{inner}", f"64:ff9b::{inner}"):
        assert (PUBLIC.refusal(ip_address(coat), port=443, scheme="https") is None) == bare


async def test_a_name_that_changes_its_address_gains_nothing() -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::1"]])
    resolver = Resolver(lambda host, port: [ip_address(each) for each in next(answers)])
    network = NoNetwork()
    sender = Sender(PUBLIC, resolver=resolver, connect=network.connect)
    errors = [(await sender.post("https://rebinding.test/", {}, b"{}")).error for _ in range(4)]
    assert [there(error).partition(":")[0] for error in errors] == ["connection", "refused", "refused", "refused"]
    assert network.called == [("93.184.216.34", 443)]  # the address that was vetted, once for the connection


async def test_a_busy_connection_is_used_until_it_is_old_and_then_its_name_is_asked_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["127.0.0.1", "10.0.0.1"])
    sender = Sender(TEST, resolver=Resolver(lambda host, port: [ip_address(next(answers))]))
    url = f"http://hooks.shop.test:{receiver.port}/"
    assert [(await sender.post(url, {}, b"{}")).status for _ in range(3)] == [204, 204, 204]
    assert receiver.connections == 1
    monkeypatch.setattr("bakong_service.webhooks.sender._LIFE_SECONDS", 0.0)  # 30 seconds are over
    answer = await sender.post(url, {}, b"{}")
    assert (answer.status, (answer.error or "").partition(":")[0]) == (None, "refused")
    assert len(receiver.requests) == 3
    sender.close()


async def test_the_next_address_is_tried_where_the_first_doesnt_answer() -> None:
    resolver = Resolver(lambda host, port: [ip_address("2606:2800:220:1::"), ip_address("93.184.216.34")])
    network = NoNetwork()
    answer = await Sender(PUBLIC, resolver=resolver, connect=network.connect).post("https://two.test/", {}, b"{}")
    assert network.called == [("2606:2800:220:1::", 443), ("93.184.216.34", 443)]
    assert answer.error == "connection: no network"


async def test_an_address_that_hangs_leaves_time_for_the_next() -> None:
    called = []

    async def connect(address: Address, target: Target, tls: ssl.SSLContext | None) -> Connection:
        called.append(str(address))
        if len(called) == 1:
            await asyncio.Event().wait()
        raise ConnectionRefusedError("no network")

    resolver = Resolver(lambda host, port: [ip_address("93.184.216.34"), ip_address("93.184.216.35")])
    sender = Sender(PUBLIC, resolver=resolver, connect=connect, deadline_seconds=2.0)
    answer = await sender.post("https://two.test/", {}, b"{}")
    assert (called, answer.error) == (["93.184.216.34", "93.184.216.35"], "connection: no network")


async def test_a_name_that_leads_nowhere_is_an_error_of_its_delivery() -> None:
    def nowhere(host: str, port: int) -> list[Address]:
        raise OSError(-2, "Name or service not known")

    sender = Sender(PUBLIC, resolver=Resolver(nowhere))
    answer = await sender.post("https://nowhere.test/", {}, b"{}")
    assert (answer.status, answer.error) == (None, "connection: [Errno -2] Name or service not known")
    sender.close()


async def test_the_host_header_keeps_the_name_and_proxies_of_the_environment_are_ignored(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    sender = Sender(TEST, resolver=Resolver(lambda host, port: [ip_address("127.0.0.1")]))
    answer = await sender.post(f"http://hooks.shop.test:{receiver.port}/in?a=b", {}, b"{}")
    assert answer.status == 204
    (request,) = receiver.requests
    assert (request.target, request.headers["host"]) == ("/in?a=b", f"hooks.shop.test:{receiver.port}")
    sender.close()


def certificate_for(name: str, folder: Path) -> tuple[str, str]:
    """A certificate that signs itself, and its key; their files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(made - timedelta(days=1))
        .not_valid_after(made + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(files[0]), str(files[1])


@pytest.mark.parametrize(("name", "verified"), [("hooks.shop.test", True), ("other.shop.test", False)])
async def test_tls_is_verified_for_the_name_though_the_address_was_vetted(
    tmp_path: Path, name: str, verified: bool
) -> None:
    certificate, key = certificate_for("hooks.shop.test", tmp_path)
    offered: list[str | None] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    server_side.sni_callback = lambda _socket, server_name, _context: offered.append(server_name)
    receiver = Receiver()
    await receiver.start(ssl=server_side)
    try:
        resolver = Resolver(lambda host, port: [ip_address("127.0.0.1")])
        sender = Sender(PRIVATE, resolver=resolver, tls=ssl.create_default_context(cafile=certificate))
        answer = await sender.post(f"https://{name}:{receiver.port}/", {}, b"{}")
        assert offered == [name]
        assert answer.status == (204 if verified else None)
        if not verified:
            assert answer.error is not None
            assert "certificate verify failed" in answer.error
        sender.close()
    finally:
        await receiver.close()
