"""Letters: over SMTP, into the outbox, or nowhere."""

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from structlog.testing import capture_logs

from service.errors import MailUnavailable
from service.mail import smtp
from service.mail.outbox import NoMail, Outbox
from service.mail.protocol import Letter
from service.mail.smtp import SmtpMail

LETTER = Letter("ada@example.com", "Your sign-in code", "Your code is 123456\n\n– bye\n")


class Server:
    """An SMTP server that lets one user in and keeps what it is given."""

    def __init__(self) -> None:
        self.letters: list[Message] = []
        self.port = 0

    async def handle_DATA(self, server, session, envelope) -> str:
        self.letters.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def let_in(self, server, session, envelope, mechanism, data) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == b"p@ss"
        return AuthResult(success=good, handled=False)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    kept = Server()

    def protocol() -> SMTP:
        return SMTP(kept, auth_require_tls=False, authenticator=kept.let_in, auth_required=True)

    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    kept.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield kept


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
async def test_a_letter_arrives_as_it_was_written(server):
    mail = SmtpMail(f"smtp://ada:p%40ss@127.0.0.1:{server.port}", "Headrace <no@example.com>")
    await mail.send(LETTER)
    (letter,) = server.letters
    assert (letter["to"], letter["from"]) == (LETTER.to, "Headrace <no@example.com>")
    assert letter["subject"] == LETTER.subject
    assert letter.get_content().replace("\r\n", "\n") == LETTER.text
    assert letter["message-id"].endswith("@example.com>")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
async def test_a_refused_password_is_told_without_the_password(server):
    mail = SmtpMail(f"smtp://ada:wrong@127.0.0.1:{server.port}", "no@example.com")
    with capture_logs() as logs, pytest.raises(MailUnavailable) as refused:
        await mail.send(LETTER)
    told = [entry["error"] for entry in logs if entry["event"] == "mail.not_sent"]
    assert told == ["SMTPAuthenticationError"]
    assert "wrong" not in f"{refused.value} {logs}"
    assert server.letters == []


async def test_a_server_that_is_away_is_told_as_such():
    with capture_logs(), pytest.raises(MailUnavailable):
        await SmtpMail("smtp://127.0.0.1:1", "no@example.com").send(LETTER)


async def test_a_server_that_says_nothing_is_not_waited_for_longer_than_is_said(monkeypatch):
    monkeypatch.setattr(smtp, "_SECONDS", 0.1)
    hung_up = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent, asyncio.timeout(2):
        with capture_logs(), pytest.raises(MailUnavailable):
            await SmtpMail(f"smtp://127.0.0.1:{port}", "no@example.com").send(LETTER)
        await hung_up.wait()


@pytest.mark.parametrize(
    ("url", "insists"),
    [
        ("smtp://ada:pass@mail.example.com", True),
        ("smtp://mail.example.com", False),
        ("smtp://ada:pass@localhost", False),
    ],
)
def test_a_password_leaves_this_machine_under_tls_alone(url, insists):
    assert SmtpMail(url, "no@example.com")._insists is insists


async def test_the_outbox_keeps_a_letter_for_its_owner_and_reads_it_out(tmp_path: Path):
    with capture_logs() as logs:
        await Outbox(tmp_path / "outbox").send(LETTER)
    (file,) = (tmp_path / "outbox").iterdir()
    assert file.read_text("utf-8").endswith(f"Subject: Your sign-in code\n\n{LETTER.text}")
    assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)
    assert (logs[0]["event"], logs[0]["text"]) == ("mail.outbox", LETTER.text)


async def test_where_no_letters_leave_that_is_said():
    with pytest.raises(MailUnavailable, match="HEADRACE_SMTP_URL"):
        await NoMail().send(LETTER)
