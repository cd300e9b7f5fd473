"""Prometheus and Alertmanager for tests: their checkers, and a Prometheus that scrapes for real."""

import json
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.house.tables import ROOT

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "headrace.json"

_SERIES = re.compile(r"\bheadrace_\w+")


def program(name: str) -> str:
    """Where `make test` put it, or the system has it; skips where it is nowhere."""
    beside = shutil.which(name, path=sysconfig.get_path("scripts"))
    found = beside or shutil.which(name)
    if not found:
        pytest.skip(f"there is no {name}; `make test` fetches it where it can")
    return found


def said_by(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """What a checker says."""
    command = [program(name), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def alerts() -> dict[str, dict]:
    """The rules of `deploy/prometheus/rules.yml` by the name of their alert."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard: its panel's title, and the expression."""
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def series_in(expression: str) -> set[str]:
    """The series of ours that an expression names."""
    return set(_SERIES.findall(expression))
