"""Signing in over HTTP, as the events face's document says it; and the keys of who has."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from service.errors import MailUnavailable
from service.mail.protocol import Letter
from tests.api.edge import Edge, an_event, running
from tests.signing import Accounts, opened_accounts

ADA = "ada@example.com"


@pytest.fixture
async def edge(house: Edge) -> Edge:
    """With real accounts behind it."""
    return house


class Away:
    """A database that does not answer."""

    def writing(self) -> None:
        raise OperationalError(None, None, OSError("the disk is gone"))

    reading = writing


async def post(edge: Edge, path: str, body: Any, token: str = "") -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await edge.client.post(f"/api/auth/{path}", json=body, headers=headers)


async def get(edge: Edge, path: str, token: str) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"}
    return await edge.client.get(path, headers=headers)


def told(answer: httpx2.Response) -> tuple[int, str, str | None]:
    """Status, code and field of an error."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["details"].get("field")


async def test_a_code_is_sent_and_the_address_told(edge: Edge, accounts: Accounts):
    answer = await post(edge, "request-code", {"email": ADA})
    assert (answer.status_code, answer.json()) == (
        200,
        {"success": True, "data": {"message": f"Verification code sent to {ADA}"}},
    )
    assert [letter.to for letter in accounts.letters] == [ADA]


async def test_the_code_gives_a_token_and_says_whose(edge: Edge, accounts: Accounts):
    await post(edge, "request-code", {"email": ADA})
    answer = await post(edge, "verify", {"email": ADA, "code": accounts.letters.code})
    data = answer.json()["data"]
    assert (answer.status_code, set(data)) == (200, {"token", "user", "message"})
    user = await accounts.users.find(ADA)
    assert data["user"] == {"id": user.id, "email": ADA, "role": "USER", "name": "ada"}
    assert (await accounts.sessions.verify(data["token"])).user == user


@pytest.mark.parametrize("body", [{}, {"email": "ada"}, {"email": 7}, {"email": None}, [], "x"])
async def test_what_is_no_address_is_400(edge: Edge, body: Any):
    answer = await post(edge, "request-code", body)
    field = "email" if isinstance(body, dict) else None
    assert told(answer) == (400, "VALIDATION_ERROR", field)


@pytest.mark.parametrize(
    "code", ["12345", "1234567", "12345a", "١٢٣٤٥٦", "123456\n", "", 123456, None]
)
async def test_what_is_no_code_is_400_and_no_try(edge: Edge, accounts: Accounts, code: Any):
    await post(edge, "request-code", {"email": ADA})
    for _ in range(6):
        answer = await post(edge, "verify", {"email": ADA, "code": code})
        assert told(answer) == (400, "VALIDATION_ERROR", "code")
    good = await post(edge, "verify", {"email": ADA, "code": accounts.letters.code})
    assert good.status_code == 200


async def test_a_wrong_code_and_an_unknown_address_are_answered_alike(edge: Edge):
    await post(edge, "request-code", {"email": ADA})
    wrong = await post(edge, "verify", {"email": ADA, "code": "000000"})
    unknown = await post(edge, "verify", {"email": "bob@example.com", "code": "000000"})
    assert told(wrong) == (401, "INVALID_CODE", None)
    assert wrong.content == unknown.content


async def test_what_is_no_json_is_400_and_what_is_too_long_is_413(edge: Edge):
    client = edge.client
    assert told(await client.post("/api/auth/verify", content=b"{"))[:2] == (
        400,
        "VALIDATION_ERROR",
    )
    answer = await client.post("/api/auth/verify", content=b" " * 20_000)
    assert told(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")


async def test_a_letter_that_cannot_be_sent_is_503(tmp_path: Path):
    class Away:
        async def send(self, letter: Letter) -> None:
            raise MailUnavailable("the letter could not be sent", 10)

    async with opened_accounts(tmp_path) as accounts:
        object.__setattr__(accounts.sign_in._desk, "mail", Away())
        async with running(**vars(accounts)) as edge:
            answer = await post(edge, "request-code", {"email": ADA})
    assert told(answer) == (503, "MAIL_UNAVAILABLE", None)
    assert answer.headers["retry-after"] == "10"


async def test_a_sixth_letter_is_429_and_says_when_to_come_again(edge: Edge):
    answers = [await post(edge, "request-code", {"email": ADA}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert told(answers[-1])[1] == "RATE_LIMITED"
    assert 590 <= int(answers[-1].headers["retry-after"]) <= 600


async def test_me_says_who_is_signed_in(edge: Edge, accounts: Accounts):
    answer = await get(edge, "/api/auth/me", await accounts.token(ADA))
    user = await accounts.users.find(ADA)
    data = answer.json()["data"]
    assert (data["id"], data["email"], data["role"]) == (user.id, ADA, "USER")
    assert datetime.fromisoformat(data["createdAt"]).timestamp() * 1000 == user.created_at
    assert data["environmentId"] == "env_default"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"x-api-key": "evp_x"}])
async def test_me_is_for_the_signed_in_alone(edge: Edge, headers: dict[str, str]):
    answer = await edge.client.get("/api/auth/me", headers=headers)
    assert told(answer)[:2] == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_signing_out_ends_this_session_alone(edge: Edge, accounts: Accounts):
    first, second = await accounts.token(ADA), await accounts.token(ADA)
    assert (await post(edge, "logout", None, first)).status_code == 200
    statuses = [(await get(edge, "/api/auth/me", token)).status_code for token in (first, second)]
    assert statuses == [401, 200]


async def test_a_key_is_made_and_works_in_the_users_environment(edge: Edge, accounts: Accounts):
    token = await accounts.token(ADA)
    made = (await post(edge, "api-key", {"name": "Production API Key"}, token)).json()["data"]
    assert made["message"] == "API key generated successfully"
    assert (made["scopes"], made["tier"], made["expiresAt"]) == (
        ["ingest", "read"],
        "enterprise",
        None,
    )
    answer = await edge.client.post(
        "/api/v1/events", json=an_event(), headers={"x-api-key": made["apiKey"]}
    )
    assert answer.status_code == 202
    listed = (await get(edge, "/api/auth/api-key", token)).json()["data"]["keys"]
    assert [key["keyId"] for key in listed] == [made["keyId"]]


async def test_a_key_may_be_narrowed_and_end(edge: Edge, accounts: Accounts):
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    wanted = {"name": "k", "scopes": ["ingest"], "tier": "basic", "expiresAt": until.isoformat()}
    made = (await post(edge, "api-key", wanted, await accounts.token(ADA))).json()["data"]
    assert (made["scopes"], made["tier"]) == (["ingest"], "basic")
    assert datetime.fromisoformat(made["expiresAt"]) == until


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"tier": "gold"}, "tier"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"scope": ["ingest"]}, "scope"),
    ],
)
async def test_a_key_that_makes_no_sense_is_400(edge: Edge, accounts, changes, field):
    answer = await post(edge, "api-key", {"name": "k"} | changes, await accounts.token(ADA))
    assert told(answer) == (400, "VALIDATION_ERROR", field)


async def test_nobody_gives_himself_a_larger_tier(edge: Edge, accounts: Accounts):
    await accounts.token(ADA)
    bob = await accounts.token("bob@example.com")
    assert told(await post(edge, "api-key", {"name": "k", "tier": "pro"}, bob))[:2] == (
        403,
        "FORBIDDEN",
    )
    made = (await post(edge, "api-key", {"name": "k"}, bob)).json()["data"]
    assert made["tier"] == "free"


async def test_a_key_that_cannot_be_made_is_500_with_a_code_of_its_own(edge: Edge, accounts):
    token = await accounts.token(ADA)

    accounts.keys._database = Away()
    with capture_logs():
        answer = await post(edge, "api-key", {"name": "k"}, token)
    accounts.keys._database = accounts.database
    assert told(answer)[:2] == (500, "API_KEY_GENERATION_ERROR")
    assert "disk" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "request-code", {"email": ADA}),
        ("POST", "verify", {"email": ADA, "code": "123456"}),
        ("POST", "logout", None),
        ("GET", "api-key", None),
        ("DELETE", "api-key/key_x", None),
    ],
)
async def test_while_the_database_is_away_it_is_503(edge: Edge, accounts, method, path, body):
    headers = {"authorization": f"Bearer {await accounts.token(ADA)}"}
    await edge.client.get("/api/auth/me", headers=headers)
    accounts.keys._database = accounts.sign_in._database = accounts.sessions._database = Away()
    answer = await edge.client.request(method, f"/api/auth/{path}", json=body, headers=headers)
    assert told(answer)[:2] == (503, "ACCOUNTS_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"


async def test_two_keys_are_alive_at_once_and_each_is_revoked_alone(edge: Edge, accounts: Accounts):
    token = await accounts.token(ADA)
    keys = [(await post(edge, "api-key", {"name": "k"}, token)).json()["data"] for _ in range(2)]
    gone = await edge.client.delete(
        f"/api/auth/api-key/{keys[0]['keyId']}", headers={"authorization": f"Bearer {token}"}
    )
    assert gone.status_code == 200
    sent = [
        await edge.client.post(
            "/api/v1/events", json=an_event(), headers={"x-api-key": key["apiKey"]}
        )
        for key in keys
    ]
    assert [answer.status_code for answer in sent] == [401, 202]


async def test_a_token_sends_no_events(edge: Edge, accounts: Accounts):
    headers = {"authorization": f"Bearer {await accounts.token(ADA)}"}
    answer = await edge.client.post("/api/v1/events", json=an_event(), headers=headers)
    assert told(answer)[:2] == (401, "MISSING_API_KEY")


async def test_a_former_token_is_no_anonymous_caller(edge: Edge, accounts: Accounts):
    token = await accounts.token(ADA)
    await post(edge, "logout", None, token)
    answer = await get(edge, "/api/v1/analytics/metrics", token)
    assert told(answer)[:2] == (401, "UNAUTHORIZED")
