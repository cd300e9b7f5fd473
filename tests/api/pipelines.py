"""Pipelines and what belongs to them, made over HTTP."""

from typing import Any

from tests.api.control import Person

SOURCE = {"source_name": "shop", "source_type": "HTTP_SOURCE", "source_config": {}}
TARGET = {
    "target_name": "events",
    "target_type": "WAREHOUSE_TARGET",
    "target_config": {"event_type": "order"},
}


def flat(team: str, name: str = "orders", **changes: Any) -> dict[str, Any]:
    """A pipeline as it is written, with new connectors."""
    return {"name": name, "team_id": team, **SOURCE, **TARGET, **changes}


async def a_team(person: Person, name: str = "Data Engineering Team") -> str:
    """The id of a new team."""
    made = await person.post("/api/teams/", {"name": name})
    assert made.status_code == 201, made.text
    return made.json()["id"]


async def a_pipeline(person: Person, team: str, **changes: Any) -> dict[str, Any]:
    """A new pipeline as the face shows it."""
    made = await person.post("/api/pipelines/", flat(team, **changes))
    assert made.status_code == 201, made.text
    return made.json()


async def a_connector(person: Person, team: str, **changes: Any) -> str:
    """The id of a new connector."""
    wanted = {"name": "a", "type": "WAREHOUSE_TARGET", "team_id": team, "config": {}, **changes}
    made = await person.post("/api/connectors/", wanted)
    assert made.status_code == 201, made.text
    return made.json()["id"]
