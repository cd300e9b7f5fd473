"""Messages that could not be read: `dead-letters`."""

import asyncio
import sys

import rich_click as click
from rich.console import Console

from service.cli.program import settings_here


@click.group("dead-letters")
def dead_letters() -> None:
    """Messages that could not be read and were put aside: look, send again, or let go.

    \b
    For example:
      headrace dead-letters list
      headrace dead-letters replay 17 18
      headrace dead-letters discard 17
    """


@dead_letters.command("list")
def dead_letters_list() -> None:
    """The oldest dead letters with their reasons.

    \b
    For example:
      headrace dead-letters list
    """
    from service.operate import list_dead_letters

    sys.exit(asyncio.run(list_dead_letters(settings_here(), Console())))


@dead_letters.command("replay")
@click.argument("numbers", nargs=-1, required=True, type=int)
def dead_letters_replay(numbers: tuple[int, ...]) -> None:
    """Put dead letters on the stream again, once this program can read them.

    \b
    For example:
      headrace dead-letters replay 17 18
    """
    from service.operate import replay_dead_letters

    sys.exit(asyncio.run(replay_dead_letters(settings_here(), numbers, Console())))


@dead_letters.command("discard")
@click.argument("numbers", nargs=-1, required=True, type=int)
def dead_letters_discard(numbers: tuple[int, ...]) -> None:
    """Forget dead letters for good.

    \b
    For example:
      headrace dead-letters discard 17
    """
    from service.operate import discard_dead_letters

    sys.exit(asyncio.run(discard_dead_letters(settings_here(), numbers, Console())))
