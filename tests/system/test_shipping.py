"""The image and the compose files, as far as they can be checked where no Docker runs."""

import json
import os
import re
import subprocess
import sysconfig
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import pytest
import yaml

from service.settings import FIELDS, Settings, load
from tests.house.tables import ROOT

FILES = ["compose.yaml", "compose.cluster.yaml", "compose.monitoring.yaml"]
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "compose-spec.json").read_text("utf-8"))
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SCRIPTS = Path(sysconfig.get_path("scripts"))
OF_THE_IMAGES = {
    "clickhouse": {"CLICKHOUSE_DB", "CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD"},
    "postgres": {"POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD"},
    "valkey": {"REDISCLI_AUTH"},
    "grafana": {
        "GF_SECURITY_ADMIN_PASSWORD",
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
        "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_USERS_ALLOW_SIGN_UP",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH",
    },
}
"""Variables that the images themselves read; all others must stand in a file they mount."""


def compose(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


SERVICES = {
    f"{name}:{s}": parts for name in FILES for s, parts in compose(name)["services"].items()
}
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("headrace")]
OTHERS = [name for name in SERVICES if name not in OURS]


def filled(text: str) -> str:
    """What compose makes of `${NAME}`, `${NAME:-default}` and `${NAME:?error}`."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", _value, text)


def _value(found: re.Match[str]) -> str:
    return f"p{found[1]}" if found[2] is None else found[2]


def mounted(service: dict) -> list[str]:
    return [v.split(":")[0] for v in service.get("volumes", []) if v.startswith("./")]


def environment(name: str) -> dict[str, str]:
    return {key: filled(value) for key, value in SERVICES[name]["environment"].items()}


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_the_compose_specification_allows(name):
    jsonschema.Draft202012Validator(SCHEMA).validate(compose(name))


def test_the_schema_refuses_what_is_no_compose_file():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"api": {"image": "a", "restarts": "always"}}}, SCHEMA)


@pytest.mark.parametrize("name", OURS)
def test_our_services_start_with_settings_that_exist_and_agree(name):
    variables = environment(name)
    assert variables.keys() <= FIELDS.keys()
    assert load(variables | {"SECRET_KEY": "k" * 32}).environment == "production"


@pytest.mark.parametrize("name", OURS)
def test_each_command_of_our_image_is_a_command_of_ours(name):
    service = SERVICES[name]
    check = service.get("healthcheck", {}).get("test", ["CMD", "headrace", "health"])
    assert check[:2] == ["CMD", "headrace"]
    for words in (check[2:], service["command"]):
        command = [SCRIPTS / "headrace", *map(filled, words), "--help"]
        assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0, command


@pytest.mark.parametrize("name", OTHERS)
def test_what_the_other_images_are_told_is_known_to_them_or_to_a_file_they_mount(name):
    service = SERVICES[name]
    kind = service["image"].split("/")[0].split(":")[0]
    texts = "".join((ROOT / path).read_text("utf-8") for path in mounted(service))
    for variable in service.get("environment", {}):
        assert variable in OF_THE_IMAGES.get(kind, ()) or variable in texts, variable


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_mounts_are_there_and_nothing_runs_with_more_than_it_needs(name):
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+[\w.-]*$|:\d+-\w+$", service["image"])
    assert [path for path in mounted(service) if not (ROOT / path).is_file()] == []
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["restart"] in {"unless-stopped", "on-failure"}
    assert service["healthcheck"]


@pytest.mark.parametrize("name", SERVICES)
def test_who_depends_on_somebody_waits_until_he_is_well(name):
    file, _, _ = name.partition(":")
    for other, how in SERVICES[name].get("depends_on", {}).items():
        checked = SERVICES[f"{file}:{other}"]["healthcheck"]
        wanted = "service_completed_successfully" if "disable" in checked else "service_healthy"
        assert how["condition"] == wanted, other


@pytest.mark.parametrize("name", FILES)
def test_every_named_volume_is_declared_and_used(name):
    used = [
        v.split(":")[0] for s in compose(name)["services"].values() for v in s.get("volumes", [])
    ]
    assert {v for v in used if not v.startswith("./")} == compose(name)["volumes"].keys()


@pytest.mark.parametrize("name", FILES)
def test_no_secret_stands_in_the_file_and_the_example_names_each(name):
    text = (ROOT / name).read_text("utf-8")
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked <= set(re.findall(r"^(\w+)=", EXAMPLE, re.M))
    secret = re.findall(r"(?:PASSWORD|SECRET\w*|AUTH): (.*)", text)
    assert secret
    assert all(value.startswith("${") for value in secret)


def test_the_example_fills_in_no_secret():
    assert re.findall(r"^\w*(?:PASSWORD|SECRET|KEY)\w*=(.+)", EXAMPLE, re.M) == []


@pytest.mark.parametrize("name", [n for n in OTHERS if SERVICES[n]["image"].startswith("nats")])
def test_the_real_nats_server_accepts_its_configuration(name, tmp_path):
    [path] = mounted(SERVICES[name])
    configuration = tmp_path / "headrace.conf"
    text = (ROOT / path).read_text("utf-8")
    assert "sync_interval: always" in text
    configuration.write_text(text.replace('"/data"', json.dumps(str(tmp_path / "data"))))
    command = [SCRIPTS / "nats-server", "-t", "-c", configuration]
    done = subprocess.run(command, env=environment(name), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_three_nats_servers_know_each_other_and_the_clients_all_of_them():
    text = (ROOT / "deploy/nats/cluster.conf").read_text("utf-8")
    routes = re.findall(r"nats://([\w-]+):6222", text)
    servers = re.findall(r"@([\w-]+):4222", environment("compose.cluster.yaml:api")["NATS_URL"])
    assert routes == servers == ["nats-1", "nats-2", "nats-3"]


def test_the_clickhouse_cluster_has_the_name_the_setting_gives_and_the_hosts_that_run():
    tree = ElementTree.parse(ROOT / "deploy/clickhouse/cluster.xml")
    name = environment("compose.cluster.yaml:api")["HEADRACE_CLICKHOUSE_CLUSTER"]
    hosts = [host.text for host in tree.iterfind(f"remote_servers/{name}/shard/replica/host")]
    assert hosts == ["clickhouse-1", "clickhouse-2"]
    keepers = [host.text for host in tree.iterfind("zookeeper/node/host")]
    raft = ElementTree.parse(ROOT / "deploy/clickhouse/keeper.xml")
    assert keepers == [h.text for h in raft.iterfind("keeper_server/raft_configuration//hostname")]
    running = compose("compose.cluster.yaml")["services"].keys()
    assert {*hosts, *keepers} <= running


def test_prometheus_asks_services_and_ports_that_there_are():
    text = (ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8")
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    ports = {"headrace-api": ("api", Settings().port), "headrace-worker": ("worker", 9464)}
    for job, (service, port) in ports.items():
        [asked] = jobs[job]["dns_sd_configs"]
        assert (asked["names"], asked["port"]) == ([service], port)
        assert all(service in compose(file)["services"] for file in FILES[:2])
    assert Settings().metrics_port == ports["headrace-worker"][1]


def test_who_watches_runs_without_root_and_without_rights():
    for service in compose("compose.monitoring.yaml")["services"].values():
        assert service["user"] not in {"root", "0", "0:0"}
        assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)


@pytest.mark.parametrize("path", ["server.xml", "cluster.xml", "keeper.xml"])
def test_what_clickhouse_reads_from_the_environment_is_set_wherever_it_is_mounted(path):
    named = re.findall(r'from_env="(\w+)"', (ROOT / "deploy/clickhouse" / path).read_text("utf-8"))
    users = [n for n in OTHERS if f"./deploy/clickhouse/{path}" in mounted(SERVICES[n])]
    assert users
    for user in users:
        assert set(named) <= environment(user).keys()


def test_the_image_has_two_stages_of_one_pinned_base_no_root_and_a_health_check_of_ours():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", bases[0])
    assert re.search(r"^USER headrace$", DOCKERFILE, re.M)
    assert 'CMD ["headrace", "health"]' in DOCKERFILE


def test_the_image_is_built_from_files_that_are_there_and_not_ignored():
    allowed = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text("utf-8"), re.M)
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.M)
    names = [name for line in copied for name in line.split()]
    assert sorted(names) == sorted(allowed)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_image_sets_only_settings_that_exist():
    [block] = re.findall(r"^ENV (.*?)\nUSER", DOCKERFILE, re.M | re.S)
    variables = dict(re.findall(r"(\w+)=(\S+)", block))
    ours = variables.keys() - {"PATH", "PYTHONDONTWRITEBYTECODE"}
    assert ours <= FIELDS.keys()
    assert not load({name: variables[name] for name in ours}).on_loopback


def test_the_command_by_which_the_image_lists_its_parts_works():
    [script] = re.findall(r'python -c "(.*?)" >', DOCKERFILE)
    command = [SCRIPTS / "python", "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert "duckdb>=2.0" in done.stdout.splitlines()
