"""Signed requests over the real accounts: what is taken, once, and what is not."""

import gzip
import json
import time
from typing import Any

import httpx2
import pytest
from sqlalchemy import event

from service.accounts.keys import NewKey
from service.accounts.sealing import Sealing
from service.accounts.signatures import Signatures
from service.shared.nonces import NoNonces
from tests.api.edge import Edge, an_event, running
from tests.documented import sign
from tests.signing import SECRET, Accounts

PATH = "/api/v1/events"
BODY = json.dumps(an_event(eventId="signed")).encode()


@pytest.fixture
async def edge(house: Edge) -> Edge:
    """With real accounts behind it."""
    return house


@pytest.fixture
async def key(accounts: Accounts) -> NewKey:
    return await accounts.keys.create("signer", ["ingest", "read", "admin"], signs=True)


def signed(key: NewKey, body: bytes = BODY, path: str = PATH, **more: Any) -> dict[str, str]:
    """The headers of a request that sends a body."""
    headers: dict[str, str] = sign(key.key.id, key.signing_secret, "POST", path, body, **more)
    return headers | {"content-type": "application/json"}


async def send(edge: Edge, headers: Any, body: bytes = BODY, path: str = PATH) -> httpx2.Response:
    return await edge.client.post(path, content=body, headers=headers)


def told(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of an error."""
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_signed_request_is_taken(edge: Edge, key: NewKey):
    assert (await send(edge, signed(key))).status_code == 202
    assert edge.parts.stream.ids == ["signed"]


@pytest.mark.parametrize("question", ["metrics?", "numbers?name=amount&"])
async def test_a_signed_question_is_answered_where_calls_are_counted_too(
    edge: Edge, key: NewKey, question: str
):
    path = f"/api/v1/analytics/{question}timeRange=24h&eventType=caf%C3%A9"
    headers = sign(key.key.id, key.signing_secret, "GET", path)
    answers = [(await edge.client.get(path, headers=headers)).status_code for _ in range(2)]
    assert answers == [200, 401]


async def test_a_request_is_good_once(edge: Edge, key: NewKey):
    headers = signed(key)
    answers = [(await send(edge, headers)).status_code for _ in range(3)]
    assert answers == [202, 401, 401]
    assert (await send(edge, signed(key))).status_code == 200  # a repeat of the event, not a replay


async def test_a_key_that_signs_is_refused_when_it_is_sent(edge: Edge, key: NewKey):
    for sent in ({"x-api-key": key.text}, {"authorization": f"Bearer {key.text}"}):
        answer = await send(edge, {"content-type": "application/json"} | sent)
        assert told(answer) == (401, "INVALID_SIGNATURE")
    assert edge.parts.stream.ids == []


async def test_a_request_from_another_time_is_refused(edge: Edge, key: NewKey):
    for seconds in (-301, 301, -10_000_000):
        answer = await send(edge, signed(key, now=int(time.time()) + seconds))
        assert told(answer) == (401, "INVALID_SIGNATURE")
        assert "clock" in answer.json()["error"]["message"]


async def test_what_was_signed_for_one_place_is_not_taken_at_another(edge: Edge, key: NewKey):
    places = (("POST", f"{PATH}?ack=stored"), ("POST", f"{PATH}/batch"), ("GET", PATH))
    for method, path in places:
        headers = sign(key.key.id, key.signing_secret, method, path, BODY)
        answer = await send(edge, headers | {"content-type": "application/json"})
        assert told(answer) == (401, "INVALID_SIGNATURE")


async def test_another_body_than_the_signed_one_is_not_kept(edge: Edge, key: NewKey):
    answer = await send(edge, signed(key), BODY.replace(b"signed", b"forged"))
    assert told(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"] == {"field": "content-digest"}
    assert edge.parts.stream.ids == []


async def test_the_digest_is_of_the_body_as_it_is_sent(edge: Edge, key: NewKey):
    packed = gzip.compress(BODY)
    headers = signed(key, packed) | {"content-encoding": "gzip"}
    assert (await send(edge, headers, packed)).status_code == 202


async def test_a_digest_is_checked_of_a_body_that_is_not_signed_too(edge: Edge, accounts: Accounts):
    plain = await accounts.keys.create("plain", ["ingest"])
    headers = {"x-api-key": plain.text, "content-type": "application/json"}
    digest = sign("", "", "POST", PATH, BODY)["content-digest"]
    wrong = digest.replace(":", ":A", 1)
    sha512 = "sha-512=:AAAA:"
    for said, status in ((wrong, 400), (f"{sha512}, {wrong}", 400), (sha512, 202), (digest, 200)):
        answer = await send(edge, headers | {"content-digest": said})
        assert answer.status_code == status, said


def damaged(headers: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """A good request's headers, each time with something about them that is not as it has to be."""
    said, digest = headers["authorization"], headers["content-digest"]
    signature = said[-64:]
    other = {
        "cut short": said[:-1],
        "longer": f"{said}0",
        "upper case": said[:-64] + signature.upper(),
        "another signature": said[:-64] + "0" * 64,
        "no signature": said[:-64],
        "not ASCII": said[:-64] + "é" * 64,
        "version 2": said.replace("v=1", "v=2"),
        "no key": said.replace("key=key_", "key="),
        "another order": said.replace("v=1,", "") + ",v=1",
        "a short nonce": said.replace("nonce=", "nonce=x,nonce="),
        "spaces": said.replace(",", ", "),
        "the scheme alone": "HMAC-SHA256",
    }
    rest = [("content-type", "application/json"), ("content-digest", digest)]
    cases = {name: [("authorization", text), *rest] for name, text in other.items()}
    good = [("authorization", said), *rest]
    cases["said twice"] = [("authorization", said), *good]
    cases["a plain key beside it"] = [("x-api-key", "evp_all"), *good]
    cases["two digests"] = [("content-digest", digest), *good]
    cases["no digest"] = good[:2]
    cases["a digest in upper case"] = [*good[:2], ("content-digest", digest.upper())]
    cases["another digest"] = [*good[:2], ("content-digest", "sha-512=:AAAA:")]
    return cases


async def test_what_has_not_the_one_form_is_401(edge: Edge, key: NewKey):
    answers = {}
    for damage, pairs in damaged(signed(key)).items():
        headers = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
        answers[damage] = told(await send(edge, headers))
    assert answers == dict.fromkeys(answers, (401, "INVALID_SIGNATURE"))
    assert edge.parts.stream.ids == []


async def test_chunks_without_a_digest_are_refused(edge: Edge, key: NewKey):
    said = sign(key.key.id, key.signing_secret, "POST", PATH)["authorization"]
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: {said}\r\nconnection: close\r\n"
    )
    answer = await edge.raw(f"{head}transfer-encoding: chunked\r\n\r\n0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 401")


async def test_an_unknown_and_a_revoked_key_are_told_alike(
    edge: Edge, accounts: Accounts, key: NewKey
):
    unknown = sign("key_nobody", key.signing_secret, "POST", PATH, BODY)
    first = await send(edge, unknown | {"content-type": "application/json"})
    await accounts.keys.revoke(key.key.id)
    while (second := await send(edge, signed(key))).is_success:
        pass
    assert first.json() == second.json()
    assert told(first) == (401, "INVALID_SIGNATURE")


async def test_the_scopes_of_a_key_that_signs_hold(edge: Edge, accounts: Accounts):
    reader = await accounts.keys.create("reader", ["read"], signs=True)
    assert told(await send(edge, signed(reader))) == (403, "FORBIDDEN")


async def test_a_signature_does_not_do_where_a_user_is_wanted(edge: Edge, key: NewKey):
    headers = sign(key.key.id, key.signing_secret, "GET", "/api/auth/me")
    answer = await edge.client.get("/api/auth/me", headers=headers)
    assert told(answer) == (401, "UNAUTHORIZED")


async def test_nothing_is_taken_while_nobody_can_say_whether_it_is_a_replay(
    accounts: Accounts, key: NewKey
):
    sealing = Sealing(SECRET)
    cannot = Signatures(accounts.database, sealing, NoNonces(), 300)
    async with running(**vars(accounts) | {"signatures": cannot}) as edge:
        answer = await send(edge, signed(key))
    assert told(answer) == (503, "SIGNING_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1
    assert edge.parts.stream.ids == []


async def test_fifty_requests_do_not_ask_the_database_fifty_times(
    accounts: Accounts, edge: Edge, key: NewKey
):
    asked: list[str] = []
    await send(edge, signed(key))
    engine = accounts.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    for _ in range(50):
        assert (await send(edge, signed(key))).status_code == 200
    assert len(asked) < 25


async def test_a_key_made_over_http_to_sign_shows_its_secret_once(edge: Edge, accounts: Accounts):
    headers = {"authorization": f"Bearer {await accounts.token('ada@example.com')}"}
    wanted = {"name": "signer", "scopes": ["ingest"], "signs": True}
    made = await edge.client.post("/api/auth/api-key", json=wanted, headers=headers)
    new = made.json()["data"]
    said = sign(new["keyId"], new["signingSecret"], "POST", PATH, BODY)
    assert (await send(edge, said | {"content-type": "application/json"})).status_code == 202
    listed = await edge.client.get("/api/auth/api-key", headers=headers)
    assert [key["signs"] for key in listed.json()["data"]["keys"]] == [True]
    assert new["signingSecret"] not in listed.text
