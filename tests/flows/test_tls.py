"""TLS by settings: what a client sees, and what happens when the certificate is renewed."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from service import tls
from service.app import create_app
from service.errors import SettingsError
from service.running import trusted
from service.server import Server, listening
from service.settings import Settings
from service.tls import Certificate, certificate_of
from tests.api.edge import parts_of
from tests.certificates import write_certificate
from tests.running import free_port


@asynccontextmanager
async def served(certificate: Certificate) -> AsyncIterator[int]:
    """The application as `headrace up` serves it with a certificate; its port."""
    with listening("127.0.0.1", free_port(), "API_PORT") as listener:
        server = Server(create_app(parts_of()), False, certificate, hsts_seconds=600)
        serving = asyncio.create_task(server.serve([listener]))
        await server.listens.wait()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


async def live(port: int, trust: Path) -> httpx2.Response:
    async with httpx2.AsyncClient(verify=trusted(str(trust))) as client:
        return await client.get(f"https://127.0.0.1:{port}/api/live")


async def serial_of(port: int) -> int:
    """A number for the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return hash(shown)


async def test_answers_come_over_tls_with_hsts(tmp_path: Path):
    chain, key = write_certificate(tmp_path)
    async with served(Certificate(chain, key)) as port:
        answer = await live(port, chain)
    assert answer.json()["live"] is True
    assert answer.headers["strict-transport-security"] == "max-age=600"


async def test_who_speaks_no_tls_is_told_nothing(tmp_path: Path):
    chain, key = write_certificate(tmp_path)
    async with served(Certificate(chain, key)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"HTTP" not in await reader.read()
        writer.close()


async def test_another_certificate_than_the_services_own_is_not_trusted(tmp_path: Path):
    (tmp_path / "other").mkdir()
    other, _ = write_certificate(tmp_path / "other")
    async with served(Certificate(*write_certificate(tmp_path))) as port:
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await live(port, other)


async def test_a_renewed_certificate_is_taken_up_without_a_restart(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tls, "LOOK_AGAIN", 0.02)
    async with served(Certificate(*write_certificate(tmp_path))) as port:
        before = await serial_of(port)
        assert await serial_of(port) == before
        write_certificate(tmp_path)
        while await serial_of(port) == before:
            await asyncio.sleep(0.02)


async def test_a_renewal_that_does_not_fit_leaves_the_one_before(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tls, "LOOK_AGAIN", 0.02)
    certificate = Certificate(*write_certificate(tmp_path))
    async with served(certificate) as port:
        before, seen = await serial_of(port), certificate._seen
        (tmp_path / "cert.pem").write_text("half of a file")
        while certificate._seen == seen:
            await asyncio.sleep(0.02)
        assert await serial_of(port) == before


async def test_a_client_that_never_shakes_hands_holds_up_nobody(tmp_path: Path):
    chain, key = write_certificate(tmp_path)
    async with served(Certificate(chain, key)) as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        answer = await live(port, chain)
        for connection in silent:
            connection.close()
    assert answer.status_code == 200


async def test_files_that_will_not_do_refuse_the_start(tmp_path: Path):
    chain, _ = write_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, stranger = write_certificate(tmp_path / "other")
    for cert, key in ((chain, stranger), (chain, "/nowhere"), (stranger, ""), ("/nowhere", "")):
        with pytest.raises(SettingsError, match="HEADRACE_TLS_CERT"):
            certificate_of(Settings(tls_cert=str(cert), tls_key=str(key)))


async def test_without_a_certificate_there_is_none(tmp_path: Path):
    assert certificate_of(Settings()) is None
