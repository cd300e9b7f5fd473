"""What can be set, read, called or run is documented, under the name it has."""

import re
import shlex

import pytest
import rich_click as click

from service.cli import headrace
from service.errors import HeadraceError
from tests.house.tables import ROOT, TABLES, _kinds, written

PAGES = "\n".join(page.read_text("utf-8") for page in sorted((ROOT / "docs").rglob("*.md")))
README = (ROOT / "README.md").read_text("utf-8")


def commands(group: click.Group, path: str = "headrace") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        here = f"{path} {name}"
        if isinstance(command, click.Group):
            found |= commands(command, here)
        else:
            found[here] = command
    return found


COMMANDS = commands(headrace)


def readme_lines() -> list[str]:
    """Each command of the README's shell blocks, continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    text = "\n".join(blocks).replace("\\\n", " ")
    return [line for line in text.split("\n") if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("table", TABLES)
def test_the_table_says_what_the_code_says(table):
    _, make = TABLES[table]
    assert written(table) == make(), "run `make tables`"


@pytest.mark.parametrize("code", sorted({kind.code for kind in _kinds(HeadraceError)}))
def test_every_error_code_is_documented(code):
    assert f"`{code}`" in PAGES


def routes() -> set[str]:
    """The paths that `service/api` names, without the types of their parts."""
    sources = sorted((ROOT / "service" / "api").rglob("*.py"))
    calls = r'(?:read|change)\(\s*(?:"[A-Z]+",\s*)?"(/[^"]*)"'
    found = re.findall(calls, "\n".join(source.read_text("utf-8") for source in sources))
    return {re.sub(r":\w+}", "}", path) for path in found}


@pytest.mark.parametrize("path", sorted(routes()))
def test_every_route_is_documented(path):
    assert re.search(rf"{re.escape(path)}[`/,]", PAGES)


def test_there_are_routes_to_look_for():
    assert {"/api/v1/events", "/api/health", "/-/verify"} <= routes()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_and_shows_an_example_of_itself(command):
    assert command in PAGES
    assert command in (COMMANDS[command].help or "").replace("\b", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_does(command):
    silent = [
        p.name for p in COMMANDS[command].params if isinstance(p, click.Option) and not p.help
    ]
    assert silent == []


def test_the_readme_opens_with_the_two_commands():
    first = [line.split("#")[0].strip() for line in readme_lines()[:2]]
    assert first == ["make demo", "make test"]


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = set(re.findall(r"\bmake ([a-z]+)", "\n".join(readme_lines())))
    assert named
    assert named <= targets


def test_every_headrace_command_of_the_readme_can_be_parsed():
    calls = [line[line.index("headrace ") :] for line in readme_lines() if "headrace " in line]
    assert calls
    for call in calls:
        _parse(call.split("#")[0].split(")")[0].split("|")[0])


def _parse(call: str) -> None:
    _, *words = shlex.split(call)
    command: click.Command = headrace
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    for word in words:
        known = {option for param in command.params for option in param.opts}
        assert not word.startswith("--") or word in known | {"--help"}, f"{call}: {word}"


def test_every_link_between_the_pages_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_decision_tells_context_decision_consequences_and_alternatives():
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert decisions
    for decision in decisions:
        text = decision.read_text("utf-8")
        parts = ("## Context", "## Decision", "## Consequences", "## Alternatives")
        assert [part for part in parts if part not in text] == [], decision.name
