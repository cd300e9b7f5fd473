"""Which hosts connectors may reach, and that they connect to what was judged."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.errors import InvalidInput
from service.reach.addresses import Reach, host_and_port, is_public
from service.reach.http import GuardedTransport
from service.reach.names import named_context
from tests.certificates import write_certificate


def a_lookup(*answers: Sequence[str]):
    """Answers one after the other; the last one for ever."""
    left = list(answers)

    async def lookup(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return lookup


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.0.1", "169.254.169.254", "0.0.0.0", "::1",
     "100.64.0.1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
     "2002:7f00:1::", "224.0.0.1", "::", "255.255.255.255"],
)  # fmt: skip
async def test_an_address_that_is_not_of_the_open_internet_is_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(InvalidInput, match="private network") as raised:
        await Reach(lookup=a_lookup([address])).addresses("a.example", 80, "host")
    assert raised.value.field == "host"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
async def test_an_address_of_the_open_internet_may_be_reached(address: str) -> None:
    assert await Reach(lookup=a_lookup([address])).addresses("a.example", 80, "host") == [address]


async def test_a_host_with_one_private_address_among_others_is_refused() -> None:
    with pytest.raises(InvalidInput):
        await Reach(lookup=a_lookup(["93.184.216.34", "10.0.0.1"])).addresses("a", 80, "host")


async def test_private_addresses_may_be_reached_where_that_is_allowed() -> None:
    assert await Reach(allow_private=True).addresses("127.0.0.1", 80, "host") == ["127.0.0.1"]


async def test_numbers_that_mean_this_machine_are_seen_through() -> None:
    for host in ("2130706433", "0x7f.1", "localhost"):
        with pytest.raises(InvalidInput, match="private network"):
            await Reach().addresses(host, 80, "host")


async def test_the_first_address_that_accepts_is_taken(a_server: int) -> None:
    reach = Reach(allow_private=True, lookup=a_lookup(["::1", "127.0.0.1"]))
    assert await reach.address("localhost", a_server, "host") == "127.0.0.1"


@pytest.mark.parametrize(
    "text", ["", ":9", "h:x", "[x", "a]:9", "h:0", "h:99999", "u@h:1", "h/p", "a b"]
)
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no host and port"):
        host_and_port(text, 9092, "bootstrap_servers")


def test_a_host_may_come_with_a_port_or_without() -> None:
    texts = ["k1", "k1:19092", "[::1]:9", "[fe80::1]"]
    assert [host_and_port(text, 9092, "f") for text in texts] == [
        ("k1", 9092), ("k1", 19092), ("::1", 9), ("fe80::1", 9092)
    ]  # fmt: skip


async def test_the_host_of_a_redirect_is_judged_too(a_server: int) -> None:
    class Picky(Reach):
        async def addresses(self, host: str, port: int, field: str) -> Sequence[str]:
            if host == "shop.example":
                return ["127.0.0.1"]
            return await super().addresses(host, port, field)

    transport = GuardedTransport(Picky())
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
        with pytest.raises(InvalidInput, match="private network"):
            await client.get(f"http://shop.example:{a_server}/away", follow_redirects=True)


async def test_http_goes_to_the_judged_address_under_the_name(a_server: int) -> None:
    reach = Reach(allow_private=True, lookup=a_lookup(["127.0.0.1"]))
    async with httpx2.AsyncClient(transport=GuardedTransport(reach), trust_env=False) as client:
        answer = await client.get(f"http://shop.example:{a_server}/")
    assert f"Host: shop.example:{a_server}" in answer.text


async def test_tls_to_an_address_checks_the_name_that_was_looked_up(tmp_path: Path) -> None:
    chain, key = write_certificate(tmp_path, "kafka.example")
    context = named_context(chain.read_text())
    async with served(_swallow, tls=(chain, key)) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=context)
        context.names["127.0.0.1"] = "kafka.example"
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.close()
        await writer.wait_closed()


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(InvalidInput, match="PEM") as raised:
        named_context("-----BEGIN CERTIFICATE-----", "ca_cert")
    assert raised.value.field == "ca_cert"


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what was asked; sends whoever asks for /away to this machine."""
    asked = await reader.readuntil(b"\r\n\r\n")
    away = asked.startswith(b"GET /away ")
    head = b"302 Found\r\nlocation: http://localhost:1/" if away else b"200 OK"
    writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n" % (head, len(asked)))
    writer.write(b"connection: close\r\n\r\n" + asked)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def served(answer: Any, tls: tuple[Path, Path] | None = None) -> AsyncIterator[int]:
    """A server on a free port of loopback."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
    if context and tls:
        context.load_cert_chain(*tls)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def a_server() -> AsyncIterator[int]:
    async with served(_answer) as port:
        yield port
