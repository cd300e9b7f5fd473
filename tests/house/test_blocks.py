"""The blocks of commands in the README and docs: what they call is there; each page's are run by a
test, or it is said here why not.

A page with commands that is in neither list fails, and so does an entry without such a page.
"""

import re
import shlex
from importlib.util import find_spec

import pytest
import rich_click as click

from service.cli import headrace
from tests.house.tables import ROOT

RUN = {
    "docs/delivery.md": "tests/delivery/test_delivery_page.py",
    "docs/loadtests.md": "tests/system/test_scenarios.py",
    "docs/moving.md": "tests/flows/test_moving.py",
    "docs/request-signing.md": "tests/documented.py",
}
"""Pages, and the test that runs what they show."""
NOT_RUN = {
    "README.md": "its make targets take minutes and its servers ports; calls are parsed below",
    "docs/api-accounts.md": "needs a browser's session and a letter; routes have their own tests",
    "docs/api-control.md": "followed step by step in Python by tests/system/test_tutorial.py",
    "docs/api-customers.md": "needs a service with these customers; tests/api has each call",
    "docs/api-events.md": "needs a key of the reader's; tests/api has each call",
    "docs/api-export.md": "needs a key of the reader's; its Python is run by tests/api/test_export",
    "docs/api-live.md": "never ends: it listens; tests/system/test_live.py reads the page",
    "docs/api-pipelines.md": "needs a session of the reader's; tests/api has each call",
    "docs/api-query.md": "needs a key of the reader's; its documents are run by tests/queries",
    "docs/api-signed.md": "needs a token of the reader's; vectors are tested in tests/unit",
    "docs/api-sql.md": "needs a key of the reader's; tests/queries/test_sql.py reads the page",
    "docs/api-thedata.md": "needs a key of the reader's; tests/api has each call",
    "docs/operations.md": "folders of an installation; tests/chaos/test_backup.py does the same",
    "docs/recordings.md": "files of the reader's own; tests/flows has each option",
}
"""Pages whose commands no test runs as they stand, and why; all are parsed all the same."""

CALL = re.compile(
    r"""(?:^(?:\w+=[^ $]\S* )*|\$\(|\| |&& )(?:[\w./]*/)?headrace ([a-z][^#|;&)<>]*)"""
)


def blocks(page: str) -> list[str]:
    """Blocks of shell, and those without a language that begin with a command of ours."""
    text = (ROOT / page).read_text("utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M)
    return [body for kind, body in found if kind in ("sh", "bash") or (not kind and _ours(body))]


def _ours(body: str) -> bool:
    return bool(re.match(r"(\w+=\S+ )*(headrace|python -m|make) ", body))


PAGES = {
    page: found
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if (found := blocks(page := str(path.relative_to(ROOT))))
}


def lines(page: str) -> list[str]:
    """The commands of a page, continued lines joined, without comments."""
    text = "\n".join(PAGES[page]).replace("\\\n", " ")
    return [line for line in text.split("\n") if line.strip() and not line.startswith("#")]


def test_each_page_with_commands_is_run_by_a_test_or_says_why_not():
    assert sorted(PAGES) == sorted(RUN | NOT_RUN)
    assert not RUN.keys() & NOT_RUN.keys()


@pytest.mark.parametrize("page", RUN)
def test_the_test_that_runs_a_page_is_there_and_reads_it_or_runs_its_commands(page):
    text = (ROOT / RUN[page]).read_text("utf-8")
    assert page.rpartition("/")[2] in text or "loadtests" in text


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_ours_on_a_page_can_be_parsed(page):
    for line in lines(page):
        for call in CALL.findall(line):
            assert_parses(call)


@pytest.mark.parametrize("page", PAGES)
def test_every_module_and_target_on_a_page_is_there(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for line in lines(page):
        for module in re.findall(r"python3? -m ([\w.]+)", line):
            assert find_spec(module), f"{page}: {line}"
        for target in re.findall(r"^make ([a-z]+)", line):
            assert target in targets, f"{page}: {line}"


def assert_parses(call: str) -> None:
    """Each command and option before any quoted text is one of the program's."""
    words = shlex.split(re.split(r"['\"]", call)[0])
    command: click.Command = headrace
    while isinstance(command, click.Group):
        assert words, call
        assert words[0] in command.commands, call
        command = command.commands[words.pop(0)]
    known = {option for param in command.params for option in param.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    assert not unknown, f"headrace {call}: {unknown}"
