"""How commands that list show what they found: the option `--json`, and the width of tables."""

import sys
from collections.abc import Callable
from typing import Any

import rich_click as click
from rich.console import Console

from service.accounts.commands.shown import Screen

as_json: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, for programs."
)


def screen(as_json: bool) -> Screen:
    """Where to show it: the terminal as wide as it is, a pipe wide enough for every column."""
    width = None if sys.stdout.isatty() else 200
    return Screen(Console(width=width, soft_wrap=as_json), as_json)
