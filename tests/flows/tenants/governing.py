"""What a tenant makes and looks after: keys, partners' tokens, people, places, and their log."""

import re
from collections.abc import Sequence
from typing import Any

from tests.flows.tenants.asking import CUSTOMERS
from tests.flows.tenants.listening import LIVE
from tests.flows.tenants.sending import follow_up
from tests.flows.tenants.side import ACCOUNT, DAY, KEYS, METRICS, WORKSPACE, Side

TOKENS, TEAMS, INVITATIONS = "/api/v1/signing-tokens", "/api/teams", "/api/invitations"
ENVIRONMENTS, USERS = "/api/envs", "/api/users"
SERVICES = "/api/users/me/service-account-token"
AUDIT = "/api/v1/audit"
_MOST_LETTERS = 2
"""An address gets five letters an hour; the two tenants have the same guest."""


def look_after_keys(mine: Side, other: Side) -> None:
    """He makes, changes, rotates and sees his own keys, all of the same name, and no others."""
    made = mine.made(KEYS, {"name": "the same name"}, 200)["data"]["keyId"]
    assert mine.call("PATCH", f"{KEYS}/{made}", as_user=True, json={"name": "b"}).is_success
    new = mine.made(f"{KEYS}/{made}/rotate", {}, 200)["data"]["keyId"]
    mine.keys += [made, new]
    listed = mine.call("GET", KEYS).json()["data"]["keys"]
    mine.are_his([key["keyId"] for key in listed], mine.keys)
    assert mine.call("DELETE", f"{KEYS}/{new}").is_success
    assert mine.call("GET", f"{KEYS}/{made}").is_success
    _are_not_there(mine, KEYS, other.keys[-2:])


def look_after_tokens(mine: Side, other: Side) -> None:
    """The same of signing tokens, which both have for one account and workspace."""
    pair = {"accountId": ACCOUNT, "workspaceId": WORKSPACE}
    made = mine.made(TOKENS, pair)["data"]["tokenId"]
    assert mine.call("PATCH", f"{TOKENS}/{made}", as_user=True, json={"name": "b"}).is_success
    new = mine.made(f"{TOKENS}/{made}/rotate", {})["data"]["tokenId"]
    mine.tokens += [made, new]
    listed = mine.call("GET", TOKENS).json()["data"]["tokens"]
    mine.are_his([token["tokenId"] for token in listed], mine.tokens)
    assert mine.call("DELETE", f"{TOKENS}/{new}").is_success
    assert mine.call("GET", f"{TOKENS}/{made}").is_success
    _are_not_there(mine, TOKENS, other.tokens[-2:])


def _are_not_there(mine: Side, path: str, ids: Sequence[str]) -> None:
    """What the other has made is not found, whatever is to be done with it."""
    for made in ids:
        assert mine.call("GET", f"{path}/{made}").status_code == 404
        assert mine.call("DELETE", f"{path}/{made}").status_code == 404
        patched = mine.call("PATCH", f"{path}/{made}", as_user=True, json={"name": "mine"})
        rotated = mine.call("POST", f"{path}/{made}/rotate", as_user=True, json={})
        assert (patched.status_code, rotated.status_code) == (404, 404)


def look_after_teams(mine: Side, other: Side) -> None:
    """Both have teams of the same names; whoever asks for a name finds his own."""
    name = f"team {len(mine.teams)}"
    mine.teams.append(mine.made(TEAMS, {"name": name})["id"])
    listed = _as_user(mine, "GET", TEAMS, params={"limit": 500})["items"]
    mine.are_his([team["id"] for team in listed], mine.teams)
    found = _as_user(mine, "GET", f"{TEAMS}/filter-one", params={"name": name})
    assert found["id"] == mine.teams[-1]
    _as_user(mine, "PATCH", f"{TEAMS}/{found['id']}", json={"description": "the same"})
    people = _as_user(mine, "GET", f"{TEAMS}/{found['id']}/members")
    assert [member["id"] for member in people] == [mine.user_id]
    assert _as_user(mine, "GET", f"{TEAMS}/{found['id']}") == {**found, "description": "the same"}
    for team in other.teams[-1:]:
        one, all_of_it = f"{TEAMS}/{team}", f"{TEAMS}/{team}/members"
        _are_strange(mine, [("GET", one), ("PATCH", one), ("DELETE", one), ("GET", all_of_it)])
        _are_strange(mine, [("POST", f"{all_of_it}/bulk")], {"members": [mine.user_id]})
        his = f"{all_of_it}/{other.user_id}"
        _are_strange(mine, [("PATCH", his), ("DELETE", his)], {"role": "member"})


def invite(mine: Side, other: Side) -> None:
    """Both invite the same person, who has not come yet."""
    if mine.sent["letters"] < _MOST_LETTERS:
        mine.sent["letters"] += 1
        wanted = {"email": mine.guest, "role": "member"}
        mine.invitations.append(mine.made(INVITATIONS, wanted)["id"])
    listed = _items(_as_user(mine, "GET", INVITATIONS))
    mine.are_his([one["id"] for one in listed], mine.invitations)
    _are_strange(mine, [("DELETE", f"{INVITATIONS}/{one}") for one in other.invitations])


def let_in(mine: Side, other: Side) -> None:
    """The guest comes in by his letter, which is good for nobody else and for no other place."""
    invite(mine, other)
    if not mine.invitations:
        return
    letter, accept = {"token": _letter(mine)}, f"{INVITATIONS}/accept"
    assert other.call("POST", accept, as_user=True, json=letter).status_code == 400
    come = mine.show("POST", accept, mine.session_of(mine.guest), json=letter)
    assert come.status_code == 200, come.text
    mine.invitations.remove(come.json()["id"])
    guest = mine.session_of(mine.guest)
    mine.guests = {mine.show("GET", f"{USERS}/me", guest).json()["id"]}
    for side in (mine, other):
        there = {**guest, "x-env-id": side.environment_id}
        seen = mine.show("GET", METRICS, there, params={**DAY, **side.after()})
        assert seen.status_code == (200 if side.guests else 404)
        if side.guests:
            assert seen.json()["data"]["totalEvents"] == len(side.of_the_day())


def _letter(mine: Side) -> str:
    """The token in the last letter that he had sent to his guest."""
    outbox = mine.whole.parts.settings.data_dir / "outbox"
    letters = [file.read_text("utf-8") for file in sorted(outbox.iterdir())]
    begins = f"To: {mine.guest}\n"
    [*_, last] = [x for x in letters if x.startswith(begins) and f"\n{mine.email} " in x]
    found = re.search(r"\binv_\S+", last)
    assert found
    return found[0]


def look_at_people(mine: Side, other: Side) -> None:
    """He knows himself, and cannot even name the other."""
    _as_user(mine, "PATCH", f"{USERS}/me", json={"name": "the same"})
    _as_user(mine, "PATCH", f"{USERS}/{mine.user_id}", json={"name": "the same"})
    assert _as_user(mine, "GET", f"{USERS}/me")["id"] == mine.user_id
    listed = _as_user(mine, "GET", USERS, params={"search": ""})["items"]
    mine.are_his([user["id"] for user in listed], [mine.user_id, *mine.guests])
    _are_strange(mine, [("GET", f"{USERS}/{other.user_id}")])
    for method in ("PATCH", "DELETE"):
        answer = mine.call(method, f"{USERS}/{other.user_id}", as_user=True, json={"name": "b"})
        assert answer.status_code in {403, 404}


def look_after_places(mine: Side, other: Side) -> None:
    """He works in one environment, makes another and removes it; the other's is not there."""
    made = mine.made(ENVIRONMENTS, {"name": f"place of {mine.user_id}"})["id"]
    _as_user(mine, "PATCH", f"{USERS}/me", json={"active_env_id": mine.environment_id})
    listed = _as_user(mine, "GET", ENVIRONMENTS)["items"]
    mine.are_his([one["id"] for one in listed], [mine.environment_id, made])
    _as_user(mine, "PATCH", f"{ENVIRONMENTS}/{made}", json={"description": "the same"})
    assert mine.call("DELETE", f"{ENVIRONMENTS}/{made}", as_user=True).status_code == 204
    here, there = (f"{ENVIRONMENTS}/{side.environment_id}" for side in (mine, other))
    people = _as_user(mine, "GET", f"{here}/members")
    mine.are_his([member["id"] for member in people], [mine.user_id, *mine.guests])
    named = {"params": {"name": _as_user(other, "GET", there)["name"]}}
    find = f"{ENVIRONMENTS}/filter-one"
    assert mine.call("GET", find, as_user=True, **named).status_code == 404
    _are_strange(mine, [("GET", there), ("PATCH", there), ("DELETE", there)])
    _are_strange(
        mine, [("GET", f"{there}/members"), ("DELETE", f"{there}/members/{other.user_id}")]
    )


def send_a_robot(mine: Side, other: Side) -> None:
    """His service account sees what he sees, and no more."""
    made = mine.made(SERVICES, {"name": "the same name"})
    mine.services.append(made["id"])
    listed = _items(_as_user(mine, "GET", SERVICES))
    mine.are_his([one["id"] for one in listed], mine.services)
    robot = {"authorization": f"Bearer {made['access_token']}"}
    told = mine.show("GET", METRICS, robot, params={**DAY, **mine.after()}).json()["data"]
    assert told["totalEvents"] == len(mine.of_the_day())
    there = {**robot, "x-env-id": other.environment_id}
    assert mine.show("GET", METRICS, there).status_code == 404
    _are_strange(mine, [("DELETE", f"{SERVICES}/{one}") for one in other.services[-2:]])
    assert mine.call("DELETE", f"{SERVICES}/{made['id']}", as_user=True).status_code == 204


def sign_out(mine: Side, other: Side) -> None:
    """Sessions that end are his own, and only those that he ends."""
    for path in ("/api/auth/logout", "/api/auth/jwt/logout"):
        second = mine.session_of(mine.email)
        assert mine.show("POST", path, second).is_success
        assert mine.show("GET", "/api/auth/me", second).status_code == 401
    for side in (mine, other):
        assert side.call("GET", "/api/auth/me", as_user=True).status_code == 200


def look_at_the_audit_log(mine: Side, other: Side) -> None:
    """All that was done in his environment, and nothing that was done elsewhere."""
    log = mine.call("GET", AUDIT, params={"limit": 500}).json()["data"]["entries"]
    assert {entry["environmentId"] for entry in log} == {mine.environment_id}
    assert {entry["actor"]["id"] for entry in log} <= {mine.user_id, mine.keys[0], *mine.guests}
    for action, made in (("key", mine.keys), ("signing_token", mine.tokens), ("team", mine.teams)):
        told = [entry for entry in log if entry["action"] == f"{action}.made"]
        assert {entry["subject"] for entry in told} <= set(made)
        assert bool(told) == bool(made)
    own = mine.call("GET", f"{AUDIT}/mine", as_user=True).json()["data"]["entries"]
    assert {entry["actor"]["id"] for entry in own} == {mine.user_id}
    everybody = mine.call("GET", AUDIT, as_user=True, params={"all": "true"})
    assert everybody.status_code == 403


def speak_for_the_other(mine: Side, other: Side) -> None:
    """Who names the other's environment is told that there is none."""
    there = {"headers": {"x-env-id": other.environment_id}}
    asked = {"metrics": ["events"], "range": DAY}
    for path in (METRICS, CUSTOMERS, "/v1/analytics/realtime", LIVE, KEYS, AUDIT, TOKENS):
        assert mine.call("GET", path, **there).status_code == 404, path
        assert mine.call("GET", path, as_user=True, **there).status_code == 404, path
    for path in (TEAMS, INVITATIONS):
        assert mine.call("GET", path, as_user=True, **there).status_code == 404, path
    for path in ("/api/v1/analytics/query", f"{LIVE}/ticket"):
        assert mine.call("POST", path, json=asked, **there).status_code == 404, path
    assert mine.call("POST", "/v1/ingest/events", json={}, **there).status_code == 404
    follow_up(mine)


def _as_user(mine: Side, method: str, path: str, **more: Any) -> Any:
    answer = mine.call(method, path, as_user=True, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _items(listed: Any) -> Any:
    return listed["items"] if isinstance(listed, dict) else listed


def _are_strange(mine: Side, calls: Sequence[tuple[str, str]], body: Any = None) -> None:
    """What these calls name is not there for him."""
    for method, path in calls:
        sent = {"name": "mine"} if body is None else body
        answer = mine.call(method, path, as_user=True, json=None if method == "GET" else sent)
        assert answer.status_code == 404, (method, path, answer.text)
