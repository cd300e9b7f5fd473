"""Rules, routes and dashboard, as Prometheus' and Alertmanager's own checkers judge them."""

import json
import re

import pytest
import yaml

from tests.house.tables import ROOT, _series
from tests.watching import DASHBOARD, RULES, alerts, panels, said_by, series_in

DEPLOY = ROOT / "deploy"
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text("utf-8")
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"


def test_promtool_accepts_the_rules_and_the_configuration():
    assert "27 rules found" in said_by("promtool", "check", "rules", "--lint=all", RULES).stdout
    checked = said_by("promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yml")
    assert checked.returncode == 0, checked.stderr


def test_promtool_finds_that_each_alert_fires_when_it_should():
    tested = said_by("promtool", "test", "rules", DEPLOY / "prometheus" / "rules_test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_rules_tests_notice_every_alert_that_never_fires(tmp_path):
    rules = yaml.safe_load(RULES.read_text("utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["expr"] = f"({rule['expr']}) > 1e99"
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    tests = (DEPLOY / "prometheus" / "rules_test.yml").read_text("utf-8")
    (tmp_path / "rules_test.yml").write_text(tests)
    tested = said_by("promtool", "test", "rules", tmp_path / "rules_test.yml")
    missed = re.findall(r"alertname: (\w+),", tested.stderr + tested.stdout)
    assert set(missed) == alerts().keys()


def test_amtool_accepts_the_routes():
    checked = said_by("amtool", "check-config", ALERTMANAGER)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("severity", ["page", "ticket"])
def test_each_alert_goes_where_its_severity_says(severity):
    config = f"--config.file={ALERTMANAGER}"
    told = said_by("amtool", "config", "routes", "test", config, f"severity={severity}")
    assert told.stdout.strip() == severity
    assert {rule["labels"]["severity"] for rule in alerts().values()} == {"page", "ticket"}


def test_each_alert_has_a_runbook_that_says_three_things_and_none_is_left_over():
    parts = re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOKS, re.M | re.S)
    assert [name for name, _ in parts] == list(dict(parts))
    assert dict(parts).keys() == alerts().keys()
    for name, text in parts:
        assert all(word in text for word in ("**Means**", "**Look**", "**Do**")), name
        link = alerts()[name]["annotations"]["runbook_url"]
        assert link == f"docs/runbooks.md#{name.lower()}"


def test_the_dashboard_has_its_rows_and_no_panel_lies_on_another():
    shown = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    rows = [panel["title"] for panel in shown if panel["type"] == "row"]
    for wanted in (
        "Doors",
        "Stream",
        "Writer",
        "Store",
        "Cache",
        "Questions",
        "Limits and keys",
        "Pipelines",
    ):
        assert wanted in rows
    cells = [cell for panel in shown for cell in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in shown}) == len(shown)


def _cells(place: dict[str, int]) -> list[tuple[int, int]]:
    across, down = range(place["x"], place["x"] + place["w"]), range(place["h"])
    return [(x, place["y"] + y) for x in across for y in down]


def test_every_query_of_the_dashboard_can_be_read(tmp_path):
    queries = [expression.replace("$__rate_interval", "1m") for _, expression in panels()]
    assert queries
    rules = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(queries)]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = said_by("promtool", "check", "rules", path)
    assert checked.returncode == 0, checked.stderr


def test_dashboard_and_rules_name_series_that_are_declared():
    declared = {name for name, *_ in _series()}
    named = {_plain(name) for _, expression in panels() for name in series_in(expression)}
    asked = {_plain(n) for rule in alerts().values() for n in series_in(rule["expr"])}
    assert named >= {"headrace_events_accepted_total", "headrace_lag_seconds"}
    assert named | asked <= declared


def _plain(series: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", series)
