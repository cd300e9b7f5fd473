"""One of two tenants: how he is known, what he has sent, and what he alone must find."""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2

from service.api.answers import iso
from tests.whole import Whole

DAY = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
METRICS = "/api/v1/analytics/metrics"
KEYS = "/api/auth/api-key"
ACCOUNT, WORKSPACE = "acc1", "ws1"
"""The same of both: only his token tells whose partner sends."""
PATIENCE = 20

Event = dict[str, Any]

_people = count()
_addresses = count()


@dataclass
class Side:
    """One tenant. Whatever he is told is held against what stands here."""

    whole: Whole
    client: httpx2.Client
    email: str
    guest: str
    """Whom he may invite; the other may, too."""
    bearer: dict[str, str] = field(default_factory=dict)
    key: str = ""
    partner: str = ""
    """The text of a signing token."""
    user_id: str = ""
    environment_id: str = ""
    kept: dict[object, Event] = field(default_factory=dict)
    """What is stored, by id: of each the first that was sent, in the order of the stream."""
    receipts: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """Ids of what he has made, oldest first; so are the others."""
    tokens: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    pipelines: list[str] = field(default_factory=list)
    connectors: list[str] = field(default_factory=list)
    """Those that no pipeline uses."""
    uploads: list[str] = field(default_factory=list)
    invitations: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    guests: set[str] = field(default_factory=set)
    """Ids of users who have followed his invitation."""
    erasures: list[str] = field(default_factory=list)
    records: set[str] = field(default_factory=set)
    """Ids that the signed face gave him."""
    touched: set[tuple[str, str]] = field(default_factory=set)
    """Methods and paths that he has called."""
    used: Counter[str] = field(default_factory=Counter)
    """How often his tier has counted him, as `key` or as `user`."""
    sent: Counter[str] = field(default_factory=Counter)
    """How many of a kind he has sent, where each must be another one."""

    def call(
        self, method: str, path: str, *, as_user: bool = False, **more: Any
    ) -> httpx2.Response:
        """What he is answered, who calls with his key or as himself."""
        known = self.bearer if as_user else {"x-api-key": self.key}
        answer = self.show(method, path, {**known, **more.pop("headers", {})}, **more)
        if answer.headers.get("ratelimit-policy", "").startswith('"free"'):
            self._is_counted("user" if as_user else "key", answer)
        return answer

    def show(
        self, method: str, path: str, credential: Mapping[str, str], **more: Any
    ) -> httpx2.Response:
        """What whoever shows this is answered; nobody before him called from his address."""
        number = next(_addresses)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        headers = {"x-forwarded-for": address, **credential}
        answer = self.client.request(method, path, headers=headers, **more)
        self.touched.add((method, answer.request.url.path))
        return answer

    def _is_counted(self, caller: str, answer: httpx2.Response) -> None:
        """Nobody but he himself has lowered what he has left."""
        self.used[caller] += 1
        limit, left = (int(answer.headers[f"x-ratelimit-{n}"]) for n in ("limit", "remaining"))
        assert limit - self.used[caller] <= left < limit, "somebody else was counted as him"

    def session_of(self, email: str) -> dict[str, str]:
        """What somebody shows who has just signed in."""
        return {"authorization": f"Bearer {self.whole.run(self.whole.accounts.token(email))}"}

    def made(self, path: str, wanted: Any, status: int = 201) -> Any:
        """What he as a user has made with this body."""
        answer = self.call("POST", path, as_user=True, json=wanted)
        assert answer.status_code == status, answer.text
        return answer.json()

    def asked(self, path: str, **parameters: Any) -> Any:
        """The answer to a question that must contain all that he has sent."""
        return self.answered(path, **parameters)["data"]

    def answered(self, path: str, **parameters: Any) -> Any:
        """The same as a whole, in the form of its face."""
        answer = self.call("GET", path, params={**parameters, **self.after()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def after(self) -> dict[str, str]:
        """What makes a question wait for all that he has sent."""
        return {"after": self.receipts[-1]} if self.receipts else {}

    def keep(self, event_id: object, event: Event) -> None:
        """He has sent this; what he sent under this id before is what counts."""
        self.kept.setdefault(event_id, event)

    def of_the_day(self, question: Mapping[str, str] | None = None) -> list[Event]:
        """His events of the day that fit, in the order of the stream."""
        wanted = question or {}
        return [
            event
            for event in self.kept.values()
            if DAY["start"] <= event["timestamp"] < DAY["end"]
            and event["eventType"] == wanted.get("eventType", event["eventType"])
            and wanted.get("userId", "") in event["userId"]
        ]

    def are_his(self, ids: Collection[str], made: Collection[str]) -> None:
        """What he is shown of a kind is what he has made of it, and nothing else."""
        assert sorted(ids) == sorted(made)


def a_side(whole: Whole, client: httpx2.Client, guest: str) -> Side:
    """Somebody who has just signed in for the first time, with a key and a partner."""
    side = Side(whole, client, f"person{next(_people)}@example.com", guest)
    side.bearer = side.session_of(side.email)
    me = side.call("GET", "/api/auth/me", as_user=True).json()["data"]
    side.user_id, side.environment_id = me["id"], me["environmentId"]
    scopes = {"name": "all", "scopes": ["ingest", "read", "admin"]}
    made = side.made(KEYS, scopes, 200)["data"]
    side.key, side.keys = made["apiKey"], [made["keyId"]]
    pair = {"accountId": ACCOUNT, "workspaceId": WORKSPACE}
    token = side.made("/api/v1/signing-tokens", pair)["data"]
    side.partner, side.tokens = token["token"], [token["tokenId"]]
    return side


def iso_now() -> str:
    """Now, as an event says it."""
    return iso(time.time_ns() // 1_000_000)
