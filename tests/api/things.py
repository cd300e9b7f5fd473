"""What paths and bodies name: things of an environment, of a team, and of a team's pipeline."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from service.pipelines.bus import Broker, Carried, Frame
from service.pipelines.model import Place, Refused, SourceMessage
from service.pipelines.refusals import open_refusals
from tests.api.control import Person, registered
from tests.api.edge import Edge
from tests.api.pipelines import a_pipeline, flat

OF_PIPELINES = re.compile(r"/(pipelines|connectors|subscriptions|datamodels|sources)(/|$)")
NAMED_IN_BODY = {
    "POST /api/connectors",
    "POST /api/pipelines",
    "POST /api/subscriptions",
    "POST /api/subscriptions/subscribe-all",
    "POST /api/v1/pipelines",
    "POST /api/v1/sources",
}
"""What makes something of a team, which the body names."""
ANYTHING = {"name": "x", "role": "member", "members": [], "email": "x@example.com"}
"""Enough for every route that names something; the others may find it wrong."""
_Ids = dict[str, Any]


async def a_team_of(owner: Person, *people: Person, **headers: str) -> str:
    made = await owner.post("/api/teams", {"name": f"team {uuid.uuid4()}"}, **headers)
    ids = {"members": [person.id for person in people]}
    await owner.post(f"/api/teams/{made.json()['id']}/members/bulk", ids)
    return str(made.json()["id"])


class Things:
    """Made anew for each call that may change them; what is read is read again."""

    def __init__(
        self, house: Edge, env_id: str, owner: Person, member: Person, broker: Broker
    ) -> None:
        self._house, self._owner, self._member = house, owner, member
        self._env_id, self._broker, self._made = env_id, broker, 0
        self._kept: dict[bool, _Ids] = {}

    async def call(self, method: str, path: str) -> tuple[str, Any]:
        """The path with ids in it, and a body that the route takes."""
        ids = await self._ids(method, path)
        if "{user_id" in path and "customers" not in path:
            ids["user_id"] = await self._somebody(ids["team_id"])
        if "{invitation_id" in path:
            ids["invitation_id"] = await self._invitation()
        if "{number" in path and "subscription_id" in ids:
            ids["number"] = await self._dead_letter(ids)
        ids["connector_id"] = ids.get("target_id" if "target" in path else "source_id", "x")
        body = _bodies(ids).get(f"{method} {path}", {}) if OF_PIPELINES.search(path) else ANYTHING
        return re.sub(r"{(\w+):str}", lambda found: str(ids.get(found[1], "x")), path), body

    async def _ids(self, method: str, path: str) -> _Ids:
        if "{" not in path and f"{method} {path}" not in NAMED_IN_BODY:
            return {"env_id": self._env_id}
        with_pipeline = OF_PIPELINES.search(path) is not None
        if method not in {"GET", "HEAD"}:
            return await self._new(with_pipeline)
        if with_pipeline not in self._kept:
            self._kept[with_pipeline] = await self._new(with_pipeline)
        return dict(self._kept[with_pipeline])

    async def _new(self, with_pipeline: bool) -> _Ids:
        """A team that the member is in, and a pipeline of it with all that belongs to one."""
        team_id = await a_team_of(self._owner, self._member, x_env_id=self._env_id)
        made = await a_pipeline(self._owner, team_id) if with_pipeline else {"id": "x"}
        return {**made, "pipeline_id": made["id"], "team_id": team_id, "env_id": self._env_id}

    async def _somebody(self, team_id: str) -> str:
        self._made += 1
        somebody = await registered(self._house, f"somebody{self._made}@example.com")
        ids = {"members": [somebody.id]}
        await self._owner.post(f"/api/teams/{team_id}/members/bulk", ids)
        return somebody.id

    async def _invitation(self) -> str:
        self._made += 1
        body = {"email": f"guest{self._made}@example.com"}
        sent = await self._owner.post("/api/invitations", body, x_env_id=self._env_id)
        return str(sent.json()["id"])

    async def _dead_letter(self, ids: _Ids) -> int:
        """Of the subscription."""
        refusals = await open_refusals(self._broker, ids["pipeline_id"], 1 << 20)
        carried = Carried(1, 0, Frame([SourceMessage({"user": "ada"})]))
        await refusals.keep(ids["subscription_id"], carried, [Refused(Place(1, 0), "disliked")])
        return (await refusals.list(0, 1))[0].number


def _bodies(ids: _Ids) -> Mapping[str, Any]:
    """What the routes of pipelines are told; nothing of all others."""
    team = {"team_id": ids.get("team_id")}
    source = {"name": "another", "type": "HTTP_SOURCE", "config": {}}
    names = {"source_name": "another source", "target_name": "another target"}
    pipeline = flat(team["team_id"], "another", **names)
    target = {"target_id": ids.get("target_id")}
    return {
        "POST /api/connectors": source | team,
        "POST /api/v1/sources": source | team,
        "PUT /api/v1/sources/{source_id:str}": source,
        "PATCH /api/connectors/{connector_id:str}": {"name": "another"},
        "POST /api/pipelines": pipeline,
        "POST /api/v1/pipelines": pipeline,
        "PATCH /api/pipelines/{pipeline_id:str}": {"name": "another"},
        "PUT /api/v1/pipelines/{pipeline_id:str}": {"name": "another"},
        "POST /api/pipelines/{pipeline_id:str}/configuration": {"name": "orders", "source": source},
        "POST /api/subscriptions": {"datamodel_id": ids.get("datamodel_id"), **target},
        "POST /api/subscriptions/subscribe-all": target,
        "POST /api/v1/pipelines/{pipeline_id:str}/records": [{"user": "ada"}],
    }
