"""What the log never holds: keys, tokens and codes, wherever in a request they are planted."""

import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from service.mail.outbox import Outbox
from service.telemetry import configure_logs
from tests.api.edge import Edge, Questions, an_event, running
from tests.api.test_rules import RULES, Anything, call
from tests.signing import opened_accounts

ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def as_it_was():
    """Whatever a test set up for logging ends with it."""
    yield
    structlog.reset_defaults()


FORMS = pytest.mark.parametrize("form", ["json", "console"])


async def plant(edge: Edge, key: str, token: str, code: str) -> None:
    """Send secrets to every route: as credentials, in headers, in bodies, in the query string."""
    carried: list[dict[str, str]] = [
        {"x-api-key": key},
        {"authorization": f"Bearer {token}"},
        {"x-api-key": token, "authorization": f"Basic {key}", "cookie": f"t={token}"},
        {"x-api-key": key, "authorization": f"Bearer {token}", "x-forwarded-for": key},
        {"x-api-key": key, "x-request-id": key},
    ]
    body: dict[str, Any] = {
        "email": ADA,
        "code": code,
        "name": key,
        "token": token,
        "events": [key],
    }
    for method, path in RULES:
        for headers in carried:
            await call(edge, method, path, headers, body)
            await call(
                edge, method, f"{path}?key={key}&token={token}", headers, {"code": code} | body
            )


class Broken(Questions):
    """Fails with whatever it holds in its message."""

    def __init__(self, secret: str) -> None:
        super().__init__(error=ZeroDivisionError(f"cannot divide Bearer {secret} by {secret}"))

    async def stats(self, tenant: str) -> Any:
        local_to_this_frame = self.error
        raise RuntimeError("while counting") from local_to_this_frame


@FORMS
async def test_no_secret_of_a_request_reaches_the_log(tmp_path: Path, capsys, form):
    configure_logs(form, level="debug")
    async with opened_accounts(tmp_path) as accounts:
        token = (await accounts.welcome(ADA)).token
        key = (await accounts.keys.create("k", ["ingest", "read", "admin"])).text
        await accounts.sign_in.request_code(ADA)
        code = accounts.letters.code
        parts = vars(accounts) | {"limits": Anything(), "questions": Broken(key)}
        async with running(**parts) as edge:
            await plant(edge, key, token, code)
    written = capsys.readouterr().err
    assert "api.failed" in written
    assert [secret for secret in (key, token, code, token.split(".")[2]) if secret in written] == []


async def test_in_development_the_log_has_the_code_and_nothing_else_of_it(tmp_path: Path, capsys):
    configure_logs("json")
    async with opened_accounts(tmp_path) as accounts:
        object.__setattr__(accounts.sign_in._desk, "mail", Outbox(tmp_path / "outbox"))
        await accounts.sign_in.request_code(ADA)
    (line,) = capsys.readouterr().err.splitlines()
    (file,) = (tmp_path / "outbox").iterdir()
    said = json.loads(line)
    assert said["event"] == "mail.outbox"
    assert said["text"] in file.read_text("utf-8")


@FORMS
async def test_a_planted_event_is_not_read_out_when_the_stream_fails(capsys, form):
    configure_logs(form)
    async with running() as edge:
        edge.parts.stream.error = ZeroDivisionError("Bearer abc.def")
        await edge.send([an_event(userId="evp_planted_in_a_field", payload={"password": "hush"})])
    written = capsys.readouterr().err
    assert "api.failed" in written
    assert [s for s in ("evp_planted", "hush", "abc.def") if s in written] == []
