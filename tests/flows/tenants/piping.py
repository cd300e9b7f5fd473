"""What a tenant pipes: pipelines and connectors of the same names, each his own alone."""

from typing import Any

from tests.api.pipelines import flat
from tests.flows.tenants.side import Side

DATAMODELS, SUBSCRIPTIONS = "/api/datamodels", "/api/subscriptions"
SOURCES, BY_KEY = "/api/v1/sources", "/api/v1/pipelines"
PIPELINES, CONNECTORS = "/api/pipelines", "/api/connectors"


def look_after_pipelines(mine: Side, other: Side) -> None:
    """Both have pipelines of the same names; whoever asks for a name finds his own."""
    made = _new_pipeline(mine)
    mine.pipelines.append(made["id"])
    listed = _told(mine, "GET", PIPELINES, params={"limit": 500})["items"]
    mine.are_his([one["id"] for one in listed], mine.pipelines)
    assert _told(mine, "GET", f"{PIPELINES}/count-status")["all"] == len(mine.pipelines)
    named = {"params": {"name": made["name"]}}
    assert _told(mine, "GET", f"{PIPELINES}/filter-one", **named) == made
    running = _told(mine, "GET", f"{PIPELINES}/status/all-non-draft")
    assert {one["id"] for one in running} <= set(mine.pipelines)
    for pipeline in other.pipelines[-1:]:
        _are_strange(mine, f"{PIPELINES}/{pipeline}", _OF_A_PIPELINE)
        assert _pushed(mine, pipeline) == 404
        _have_strange_parts(mine, _told(other, "GET", f"{PIPELINES}/{pipeline}"))
    _are_his_parts(mine, made)
    _run(mine, f"{PIPELINES}/{made['id']}")


def look_after_connectors(mine: Side, other: Side) -> None:
    """The same of connectors; what the other has connected is of no use to him."""
    wanted = {"name": f"spare {len(mine.connectors)}", "type": "WAREHOUSE_TARGET", "config": {}}
    made = mine.made(CONNECTORS, {**wanted, "team_id": _team(mine)})
    mine.connectors.append(made["id"])
    one = f"{CONNECTORS}/{made['id']}"
    assert _told(mine, "GET", one) == made
    named = {"params": {"name": made["name"]}}
    assert _told(mine, "GET", f"{CONNECTORS}/filter-one", **named) == made
    listed = _told(mine, "GET", f"{CONNECTORS}/target-config", params={"search": "spare"})["items"]
    mine.are_his([each["id"] for each in listed], mine.connectors)
    assert all(
        each["env_id"] == mine.environment_id
        for each in _told(mine, "GET", f"{CONNECTORS}/source-config")["items"]
    )
    _told(mine, "PATCH", one, json={"config": {"event_type": "order"}})
    assert _told(mine, "GET", f"{one}/target-worker-config")["id"] == made["id"]
    for connector in other.connectors[-1:]:
        _are_strange(mine, f"{CONNECTORS}/{connector}", _OF_A_CONNECTOR)
        there = {**flat(_team(mine), "stolen"), "existing_target_id": connector}
        there |= dict.fromkeys(("target_name", "target_type", "target_config"))
        assert mine.call("POST", PIPELINES, as_user=True, json=there).status_code == 404


def look_after_sources(mine: Side, other: Side) -> None:
    """The same on the thedata face, with the keys of both."""
    team, number = _team(mine), mine.sent["sources"]
    mine.sent["sources"] += 1
    wanted = {"name": f"by key {number}", "type": "http", "config": {}, "team_id": team}
    source = _keyed(mine, "POST", SOURCES, 201, wanted)
    piped = {**flat(team, f"by-key-{number}"), "existing_source_id": source["id"]}
    piped |= dict.fromkeys(("source_name", "source_type", "source_config"))
    pipeline = _keyed(mine, "POST", BY_KEY, 201, {**piped, "target_name": f"into {number}"})
    for path in (SOURCES, BY_KEY):
        listed = _keyed(mine, "GET", f"{path}?search=by")["data"]
        assert len(listed) == 1
    one, way = f"{SOURCES}/{source['id']}", f"{BY_KEY}/{pipeline['id']}"
    for call in _OF_A_SOURCE:
        _is_strange_to(other, SOURCES, source["id"], call, wanted)
    for call in _OF_A_PIPELINE_BY_KEY:
        _is_strange_to(other, BY_KEY, pipeline["id"], call, {"name": "mine"})
    assert _keyed(mine, "PUT", one, 200, wanted)["id"] == source["id"]
    assert _keyed(mine, "PUT", way, 200, {"name": f"by-key-{number}"})["id"] == pipeline["id"]
    assert _keyed(mine, "POST", f"{one}/sync", 202)["source_id"] == source["id"]
    assert _keyed(mine, "GET", f"{one}/metrics")["source_id"] == source["id"]
    assert _keyed(mine, "GET", f"{way}/logs")["data"] == []
    for step in ("start", "stop"):
        _keyed(mine, "POST", f"{way}/{step}", 202)
    for path in (way, one):
        _keyed(mine, "GET", path)
        assert mine.call("DELETE", path).status_code == 204


def _keyed(mine: Side, method: str, path: str, status: int = 200, body: Any = None) -> Any:
    answer = mine.call(method, path, json=body)
    assert answer.status_code == status, (method, path, answer.text)
    return answer.json()


def _is_strange_to(side: Side, path: str, strange: str, call: tuple[str, str], body: Any) -> None:
    method, rest = call
    answer = side.call(method, f"{path}/{strange}{rest}", json=body)
    assert answer.status_code == 404, (method, path, rest, answer.text)


_OF_A_SOURCE = [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/sync"), ("GET", "/metrics")]
_OF_A_PIPELINE_BY_KEY = [
    *(("GET", ""), ("PUT", ""), ("DELETE", "")),
    *(("POST", "/start"), ("POST", "/stop"), ("GET", "/logs")),
]


def _are_his_parts(mine: Side, made: Any) -> None:
    """What comes with a pipeline is his, and can be changed, left out, and had again."""
    model, one = (
        f"{DATAMODELS}/{made['datamodel_id']}",
        f"{SUBSCRIPTIONS}/{made['subscription_id']}",
    )
    for path in (DATAMODELS, SUBSCRIPTIONS):
        listed = _told(mine, "GET", path, params={"limit": 500})["items"]
        assert {each["env_id"] for each in listed} == {mine.environment_id}
    _told(mine, "PATCH", f"{model}/error-table", json={"error_table_name": "refused"})
    _told(mine, "PATCH", one, json={"backfill": True})
    for path in (model, one):
        assert _told(mine, "GET", path)["pipeline_id"] == made["id"]
    wanted = {"datamodel_id": made["datamodel_id"], "target_id": made["target_id"]}
    second = f"{SUBSCRIPTIONS}/{mine.made(SUBSCRIPTIONS, wanted)['id']}"
    for step in ("start", "pause"):
        assert mine.call("POST", f"{second}/{step}", as_user=True).status_code == 202
    assert mine.call("DELETE", second, as_user=True).status_code == 204
    every = mine.made(f"{SUBSCRIPTIONS}/subscribe-all", {"target_id": made["target_id"]})
    assert {each["env_id"] for each in every} <= {mine.environment_id}
    for each in every:
        mine.call("DELETE", f"{SUBSCRIPTIONS}/{each['id']}", as_user=True)
    configuration = f"{PIPELINES}/{made['id']}/configuration"
    out = _told(mine, "GET", configuration)
    assert _told(mine, "POST", configuration, json=out)["id"] == made["id"]


def _have_strange_parts(mine: Side, others: Any) -> None:
    """The parts of the other's pipeline are not there, nor can his own be fed with them."""
    _are_strange(mine, f"{SUBSCRIPTIONS}/{others['subscription_id']}", _OF_A_SUBSCRIPTION)
    _are_strange(mine, f"{DATAMODELS}/{others['datamodel_id']}", _OF_A_DATAMODEL)
    wanted = {"datamodel_id": others["datamodel_id"], "target_id": others["target_id"]}
    for path, body in ((SUBSCRIPTIONS, wanted), (f"{SUBSCRIPTIONS}/subscribe-all", {})):
        body = body or {"target_id": others["target_id"]}
        assert mine.call("POST", path, as_user=True, json=body).status_code == 404


def _run(mine: Side, one: str) -> None:
    """Start it, look at it, and let it be no more."""
    for step in ("start", "restart", "pause"):
        assert mine.call("POST", f"{one}/{step}", as_user=True).status_code == 202
    assert _pushed(mine, one.rpartition("/")[2]) == 202
    for path in ("", "/status", "/versions", "/worker-config"):
        _told(mine, "GET", f"{one}{path}")
    _told(mine, "PATCH", one, json={"subscription_backfill": True})
    _watch(mine, _told(mine, "GET", one))
    assert mine.call("DELETE", one, as_user=True).status_code == 204
    mine.pipelines.remove(one.rpartition("/")[2])
    for step in ("start", "stop"):
        source = f"{CONNECTORS}/{_source(mine)}/{step}"
        assert mine.call("POST", source, as_user=True).status_code == 202
    assert _told(mine, "GET", f"{CONNECTORS}/{_source(mine)}/source-worker-config")


def _watch(mine: Side, made: Any) -> None:
    """His one record alone has come, and nothing was refused."""
    one, model = f"{PIPELINES}/{made['id']}", f"{DATAMODELS}/{made['datamodel_id']}"
    assert _told(mine, "GET", f"{one}/logs") == []
    assert _told(mine, "GET", f"{CONNECTORS}/{made['source_id']}/logs") == []
    assert _told(mine, "GET", f"{one}/latency-informations")["subscriptions"] == {}
    assert _told(mine, "GET", f"{model}/monitoring")["pipeline_id"] == made["id"]
    schema = {"name": "n", "types": ["integer"], "messages": 1}
    assert _told(mine, "GET", f"{model}/schema")["fields"] == [schema]
    assert _told(mine, "POST", f"{one}/dry-run", json={})["records"] == [{"n": 1}]
    assert mine.call("POST", f"{one}/backfill", as_user=True, json={}).status_code == 202
    letters = f"{SUBSCRIPTIONS}/{made['subscription_id']}/dead-letters"
    assert _told(mine, "GET", letters)["items"] == []
    for method, path in (("POST", "/1/replay"), ("DELETE", "/1")):
        assert mine.call(method, letters + path, as_user=True, json={}).status_code == 404


def try_connectors(mine: Side, other: Side) -> None:
    """What he tries is told to him alone, and the other's secrets are of no use to him."""
    types = "/api/connector-types"
    known = {one["type"] for one in _told(mine, "GET", types)}
    assert {"KAFKA_SOURCE", "WAREHOUSE_TARGET"} <= known
    asked = {"bootstrap_servers": "127.0.0.1:1", "topic": "t"}
    for way in ("check-credentials", "list-topics", "fetch-messages"):
        answer = mine.call("POST", f"{types}/kafka-source/{way}", as_user=True, json=asked)
        assert answer.status_code == 422
    for connector in other.connectors[-1:]:
        path, strange = f"{types}/warehouse-target/check-credentials", {"connector_id": connector}
        assert mine.call("POST", path, as_user=True, json=strange).status_code == 404


def _new_pipeline(mine: Side) -> Any:
    """One that stays, the first time; and another one."""
    number = mine.sent["pipelines"]
    mine.sent["pipelines"] += 1
    names = {"source_name": f"source {number}", "target_name": f"target {number}"}
    made = mine.made(PIPELINES, flat(_team(mine), f"pipeline-{number}", **names))
    if number == 0:
        mine.pipelines.append(made["id"])
        return _new_pipeline(mine)
    return made


def _source(mine: Side) -> str:
    return str(_told(mine, "GET", f"{PIPELINES}/{mine.pipelines[0]}")["source_id"])


def _team(mine: Side) -> str:
    if not mine.teams:
        mine.teams.append(mine.made("/api/teams", {"name": "team 0"})["id"])
    return mine.teams[0]


_OF_A_PIPELINE = [
    *(
        ("GET", path)
        for path in ("", "/status", "/versions", "/worker-config", "/configuration", "/logs")
    ),
    *(("POST", path) for path in ("/start", "/restart", "/pause")),
    *(("PATCH", ""), ("DELETE", "")),
]
_OF_A_SUBSCRIPTION = [
    ("GET", ""),
    ("GET", "/dead-letters"),
    ("POST", "/start"),
    ("POST", "/pause"),
    ("DELETE", ""),
]
_OF_A_DATAMODEL = [("GET", ""), ("GET", "/schema"), ("GET", "/monitoring"), ("DELETE", "")]
_OF_A_CONNECTOR = [
    *(("GET", path) for path in ("", "/source-worker-config", "/target-worker-config")),
    *(("POST", path) for path in ("/start", "/stop")),
    *(("PATCH", ""), ("DELETE", "")),
]


def _are_strange(mine: Side, one: str, calls: list[tuple[str, str]]) -> None:
    """What these calls name is not there for him."""
    for method, path in calls:
        body = {"json": {"name": "mine"}} if method in {"PATCH", "POST"} else {}
        answer = mine.call(method, one + path, as_user=True, **body)
        assert answer.status_code == 404, (method, path, answer.text)


def _pushed(mine: Side, pipeline: str) -> int:
    """How a record for this pipeline is answered, sent with his key."""
    return mine.call("POST", f"/api/v1/pipelines/{pipeline}/records", json={"n": 1}).status_code


def _told(mine: Side, method: str, path: str, **more: Any) -> Any:
    answer = mine.call(method, path, as_user=True, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()
