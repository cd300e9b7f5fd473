"""Registering, signing in and out with a password, as the control face's document says it."""

from typing import Any

import pytest

from tests.api.control import ADA, BOB, PASSWORD, Person, complaint, logged_in, registered
from tests.api.edge import Edge
from tests.signing import Accounts


@pytest.fixture
async def edge(house: Edge) -> Edge:
    """With real accounts behind it."""
    return house


async def register(edge: Edge, body: Any):
    return await Person(edge).post("/api/auth/register", body)


async def log_in(edge: Edge, username: str = ADA, password: str = PASSWORD):
    form = {"username": username, "password": password}
    return await edge.client.post("/api/auth/jwt/login", data=form)


async def test_registering_answers_the_account_as_the_document_says_it(edge: Edge):
    wanted = {"email": ADA, "password": PASSWORD, "is_active": True, "is_superuser": False}
    answer = await register(edge, wanted | {"is_verified": False})
    assert answer.status_code == 201
    user = answer.json()
    assert {"id", "email", "is_active", "is_superuser", "is_verified", "active_env_id"} <= set(user)
    assert (user["email"], user["is_active"], user["active_env_id"]) == (ADA, True, None)
    assert PASSWORD not in answer.text


async def test_nobody_makes_himself_superuser_but_the_first_is_it(edge: Edge):
    first = await register(edge, {"email": ADA, "password": PASSWORD})
    more = {"is_superuser": True, "is_verified": True}
    second = await register(edge, {"email": BOB, "password": PASSWORD, **more})
    assert [a.json()["is_superuser"] for a in (first, second)] == [True, False]
    assert not second.json()["is_verified"]


async def test_an_address_that_has_an_account_is_400(edge: Edge):
    await registered(edge)
    answer = await register(edge, {"email": ADA.upper(), "password": PASSWORD})
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "REGISTER_USER_ALREADY_EXISTS"},
    )


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        ({"password": PASSWORD}, ["body", "email"], "value_error.missing"),
        ({"email": ADA}, ["body", "password"], "value_error.missing"),
        ({"email": ADA, "password": 12345678}, ["body", "password"], "type_error"),
        ({"email": ADA, "password": "short"}, ["body", "password"], "value_error"),
        ({"email": "ada", "password": PASSWORD}, ["body", "email"], "value_error"),
        ([], ["body"], "type_error"),
    ],
)
async def test_what_is_wrong_is_422_and_says_where(edge: Edge, body, place, kind):
    answer = await register(edge, body)
    assert complaint(answer) == (422, place, kind)
    assert "short" not in answer.text


async def test_what_is_no_json_is_422_and_what_is_too_long_413(edge: Edge):
    post = edge.client.post
    broken = await post("/api/auth/register", content=b"{", headers=JSON)
    assert complaint(broken) == (422, ["body"], "value_error")
    long = await post("/api/auth/register", content=b" " * 20_000, headers=JSON)
    assert (long.status_code, type(long.json()["detail"])) == (413, str)


JSON = {"content-type": "application/json"}


async def test_signing_in_gives_a_bearer_token(edge: Edge, accounts: Accounts):
    ada = await registered(edge)
    answer = await log_in(edge)
    assert (answer.status_code, set(answer.json())) == (200, {"access_token", "token_type"})
    assert answer.json()["token_type"] == "bearer"
    session = await accounts.sessions.verify(answer.json()["access_token"])
    assert session.user.id == ada.id


async def test_wrong_unknown_and_inactive_are_answered_alike(edge: Edge, accounts: Accounts):
    await registered(edge)
    await accounts.token(BOB)
    answers = [
        await log_in(edge, password="another one"),
        await log_in(edge, "nobody@example.com"),
        await log_in(edge, "no address"),
        await log_in(edge, BOB, ""),
    ]
    assert {a.status_code for a in answers} == {400}
    assert {a.text for a in answers} == {'{"detail":"LOGIN_BAD_CREDENTIALS"}'}


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"username=a", ["body", "password"]), (b"", ["body", "username"]), (b"\xff=%ff", ["body"])],
)
async def test_a_form_without_its_fields_is_422(edge: Edge, content: bytes, place: list[str]):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await edge.client.post("/api/auth/jwt/login", content=content, headers=headers)
    assert complaint(answer)[:2] == (422, place)


async def test_signing_in_with_json_is_415(edge: Edge):
    answer = await Person(edge).post("/api/auth/jwt/login", {"username": ADA, "password": "x"})
    assert (answer.status_code, set(answer.json())) == (415, {"detail"})


async def test_signing_out_ends_this_session_alone(edge: Edge):
    ada = await registered(edge)
    other = Person(edge, await logged_in(edge))
    out = await ada.post("/api/auth/jwt/logout")
    assert (out.status_code, out.content) == (204, b"")
    assert [(await p.get("/api/users/me")).status_code for p in (ada, other)] == [401, 200]


async def test_me_is_who_is_signed_in(edge: Edge):
    ada = await registered(edge)
    answer = await ada.get("/api/users/me/")
    assert (answer.status_code, answer.json()["id"]) == (200, ada.id)


@pytest.mark.parametrize("path", ["/api/users/me", "/api/users/me/"])
async def test_who_is_not_signed_in_is_told_so_in_this_faces_form(edge: Edge, path: str):
    answer = await edge.client.get(path)
    assert (answer.status_code, set(answer.json())) == (401, {"detail"})
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/users/me/nothing", 404),
        ("GET", "/api/teams/x/nothing", 404),
        ("PUT", "/api/auth/register", 405),
        ("GET", "/api/auth/jwt/login/", 405),
        ("PUT", "/api/users/me", 405),
    ],
)
async def test_paths_and_methods_that_are_not_there_err_in_this_faces_form(
    edge: Edge, method: str, path: str, status: int
):
    answer = await edge.client.request(method, path)
    assert (answer.status_code, set(answer.json())) == (status, {"detail"})


async def test_the_other_face_under_the_same_mount_keeps_its_form(edge: Edge):
    for path in ("/api/auth/me", "/api/auth/nothing", "/api/usersx"):
        assert set((await edge.client.get(path)).json()) == {"success", "error"}


async def test_the_twenty_first_try_is_429_and_says_when_to_come_again(edge: Edge):
    answers = [await log_in(edge, password="another one") for _ in range(21)]
    assert [a.status_code for a in answers] == [400] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) > 500


async def test_no_password_and_no_token_is_in_the_log(edge: Edge, capsys: pytest.CaptureFixture):
    ada = await registered(edge)
    await log_in(edge, password="another one")
    said = capsys.readouterr()
    for secret in (PASSWORD, "another one", ada.token):
        assert secret not in said.out + said.err
