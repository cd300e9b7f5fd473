"""`headrace deliver`: checks first, then sends, shows how far it is, tells what became of it."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.delivery.config_file import read_config
from service.delivery.job import Rehearsal, prepared, rehearsed
from service.delivery.journal import Journal
from service.delivery.outcomes import OUTCOMES, Stopped
from service.delivery.report import Heading, Reports, write_reports
from service.delivery.run import Delivery, Job, Progress
from service.delivery.sending import Sender
from service.ending import ToldToEnd, first_of, told_to_end_twice, unless_told
from service.errors import InvalidInput
from service.terminal.headway import headway

DONE, STOPPED, WRONG, PARTLY, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: every row is there; it could not go on; nothing was tried; some rows are not there;
told to end."""
_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for."""

    file: Path
    config: Path
    api: str = ""
    mapping: str = ""
    folder: Path | None = None
    dry_run: bool = False
    anew: bool = False
    check_health: bool = True


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Set by the first Ctrl-C, and by the second."""

    first: asyncio.Event
    second: asyncio.Event


async def deliver(asked: Asked, variables: Mapping[str, str], console: Console) -> int:
    """Deliver a file; the exit code."""
    interrupts = Interrupts(*told_to_end_twice())
    try:
        config = read_config(_text(asked.config), variables, asked.config.name)
        with console.status(f"reading {asked.file.name} …"):
            wanted = (asked.file, config, asked.api, asked.mapping, asked.folder)
            job = await unless_told(interrupts.first, lambda: prepared(*wanted))
        if asked.dry_run:
            with console.status("making every row …"):
                rehearsal = await unless_told(interrupts.first, lambda: rehearsed(job, _SAMPLES))
            return _show_rehearsal(rehearsal, job, console)
        if asked.anew and job.folder.exists():
            _forget(job.folder)
        with Journal(job.folder, job.about) as journal:
            async with Sender(job.api, job.examined.digest) as sender:
                if asked.check_health and not await _is_well(sender, console, interrupts.first):
                    return STOPPED
                progress = await _sent(Delivery(job, sender), journal, console, interrupts)
            reports = await _reported(job, journal, progress, config.report.key_columns)
        _show(progress, reports, console)
        return _exit_code(progress, reports, interrupts.first.is_set())
    except InvalidInput as error:
        console.print(Text(str(error), style="bold red"), soft_wrap=True)
        return WRONG
    except ToldToEnd:
        console.print(Text("interrupted: nothing was sent", style="bold red"), soft_wrap=True)
        return INTERRUPTED


async def _is_well(sender: Sender, console: Console, stop: asyncio.Event) -> bool:
    """Ask the API. Raises ToldToEnd."""
    asking = asyncio.create_task(sender.check_health())
    try:
        await first_of(asking, stop.wait())
    except Stopped as error:
        console.print(Text(f"not begun: {error}", style="bold red"), soft_wrap=True)
        return False
    if asking.cancelled():
        raise ToldToEnd
    console.print(Text(asking.result(), style="dim"), soft_wrap=True)
    return True


async def _sent(
    delivery: Delivery, journal: Journal, console: Console, interrupts: Interrupts
) -> Progress:
    async with headway(console, delivery.name, delivery.progress):
        return await delivery.run(journal, interrupts.first, interrupts.second)


async def _reported(
    job: Job, journal: Journal, progress: Progress, key_columns: Sequence[str]
) -> Reports:
    state = "complete" if progress.done else progress.stopped
    heading = Heading(job.file.path.name, job.api.rows_url, state)
    return await asyncio.to_thread(write_reports, journal.path, job.folder, heading, key_columns)


def _exit_code(progress: Progress, reports: Reports, told: bool) -> int:
    if not progress.done:
        return INTERRUPTED if told else STOPPED
    there = reports.outcomes["created"] + reports.outcomes["duplicate"]
    return DONE if there == sum(reports.outcomes.values()) else PARTLY


def _show(progress: Progress, reports: Reports, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("rows", *OUTCOMES):
        table.add_column(name, justify="right")
    counts = [reports.outcomes[outcome] for outcome in OUTCOMES]
    table.add_row(*(f"{count:,}" for count in (sum(counts), *counts)))
    console.print(table)
    console.print(f"reports: {reports.csv} and {reports.json}", highlight=False, soft_wrap=True)
    if not progress.done:
        again = "Run the same command again: it goes on there."
        verdict = Text(f"stopped: {progress.stopped}. {again}", style="bold red")
        console.print(verdict, soft_wrap=True)


def _show_rehearsal(rehearsal: Rehearsal, job: Job, console: Console) -> int:
    form = job.examined.form
    console.print(
        f"{job.file.path.name}: {rehearsal.rows:,} rows, {form.encoding}, "
        f"delimiter {form.delimiter!r}; {rehearsal.invalid:,} would not be sent",
        highlight=False,
        soft_wrap=True,
    )
    for reason, count in rehearsal.reasons:
        console.print(Text(f"  {count:,} × {reason}"), soft_wrap=True)
    for request in rehearsal.requests:
        console.print_json(msgspec.json.encode(request).decode())
    console.print("nothing was sent", style="dim")
    return PARTLY if rehearsal.invalid else DONE


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: not UTF-8") from None


def _forget(folder: Path) -> None:
    """Begin anew: what an earlier delivery left is put aside, not lost."""
    aside = folder.with_name(f"{folder.name}.before")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
