"""Everybody who may call: nobody in particular, keys of each scope, users, partners, the operator.

The owner has the default environment and is superuser; the member is in a team of his; the user
has an environment of his own; a service account acts for the owner; a partner signs his bodies.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests

from service.accounts.derivations import signing_keys
from service.accounts.principals import SCOPES
from service.accounts.signing_tokens import Wanted
from service.errors import Unauthenticated
from tests.whole import Whole

OWNER, MEMBER, USER = "owner@example.com", "member@example.com", "user@example.com"
ACCOUNT, WORKSPACE = "acc1", "ws1"
PROXY = "127.0.0.1/32"
"""A `trusted_proxies` with which each call may come from another address."""


Credentials = Callable[[], dict[str, str]]
Sign = Callable[[requests.PreparedRequest], requests.PreparedRequest]


@dataclass
class Caller:
    """Somebody, by the credentials that he shows."""

    name: str
    credentials: Credentials
    _calls: "count[int]" = field(default_factory=count)
    sign: Sign | None = None
    """What he does to a request when it is whole."""
    place: dict[str, str] = field(default_factory=dict)
    """What he puts into a path, by the name of the parameter: ids that he knows."""

    def headers(self) -> dict[str, str]:
        """Of one call, from an address that has not called before: nobody calls too often."""
        number = next(self._calls)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return {"x-forwarded-for": address, **self.credentials()}


class Session:
    """A user's session, begun anew when a call has ended it."""

    def __init__(self, whole: Whole, email: str) -> None:
        self._whole = whole
        self._email = email
        self._token = ""

    def __call__(self) -> dict[str, str]:
        if not self._lasts():
            self._token = self._whole.run(self._whole.accounts.token(self._email))
        return {"authorization": f"Bearer {self._token}"}

    def _lasts(self) -> bool:
        try:
            self._whole.run(self._whole.parts.sessions.verify(self._token))
        except Unauthenticated:
            return False
        return True


def everybody(whole: Whole) -> list[Caller]:
    """One caller of each kind."""
    owner, addresses = Session(whole, OWNER), count()
    team = _made(whole, "/api/teams", {"name": "team"}, owner())
    known = {
        "nobody": dict,
        "operator": lambda: {"authorization": f"Bearer {whole.parts.operator_token}"},
        "owner": owner,
        "member": _member(whole, team, owner),
        "user": Session(whole, USER),
        "service account": _service_account(whole, owner),
        **{f"key that may {scope}": _key(whole, scope) for scope in SCOPES},
    }
    place = {"env_id": team["env_id"], "team_id": team["id"]}
    callers = [Caller(name, known[name], addresses, place=place) for name in known]
    place = {"account_id": ACCOUNT, "workspace_id": WORKSPACE}
    return [*callers, Caller("partner", dict, addresses, _partner(whole), place)]


def _key(whole: Whole, scope: str) -> Credentials:
    made = whole.run(whole.parts.keys.create(scope, [scope]))
    return lambda: {"x-api-key": made.text}


def _member(whole: Whole, team: dict[str, str], owner: Session) -> Credentials:
    member = Session(whole, MEMBER)
    me = requests.get(f"{whole.url}/api/users/me", headers=member(), timeout=20).json()
    path = f"{whole.url}/api/teams/{team['id']}/members/bulk"
    added = requests.post(path, json={"members": [me["id"]]}, headers=owner(), timeout=20)
    assert added.status_code == 204, added.text
    return lambda: {**member(), "x-env-id": team["env_id"]}


def _service_account(whole: Whole, owner: Session) -> Credentials:
    path = "/api/users/me/service-account-token"
    token = _made(whole, path, {"name": "robot"}, owner())["access_token"]
    return lambda: {"authorization": f"Bearer {token}"}


def _made(whole: Whole, path: str, wanted: Any, headers: dict[str, str]) -> Any:
    answer = requests.post(f"{whole.url}{path}", json=wanted, headers=headers, timeout=20)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _partner(whole: Whole) -> Sign:
    wanted = Wanted(ACCOUNT, WORKSPACE, "test")
    token = whole.run(whole.accounts.signing_tokens.create(wanted, "env_default")).text
    key = signing_keys(token, ACCOUNT, WORKSPACE).keys["hkdf"]

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        text = body.encode() if isinstance(body, str) else body
        request.headers["x-optikpi-token"] = token
        request.headers["x-hmac-signature"] = hmac.new(key, text, "sha256").hexdigest()
        return request

    return sign
