"""`headrace deliver`: checks first, then sends, shows how far it is, tells what became of it."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.delivery.config import Config
from service.delivery.config_file import read_config
from service.delivery.job import Rehearsal, prepared, rehearsed
from service.delivery.journal import Journal
from service.delivery.outcomes import OUTCOMES, Stopped
from service.delivery.report import Heading, Reports, write_reports
from service.delivery.run import Delivery, Job, Progress
from service.delivery.sending import Sender
from service.ending import told_to_end
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


async def deliver(asked: Asked, variables: Mapping[str, str], console: Console) -> int:
    """Deliver a file; the exit code."""
    try:
        config = read_config(_text(asked.config), variables, asked.config.name)
        with console.status(f"reading {asked.file.name} …"):
            job = await asyncio.to_thread(
                prepared, asked.file, config, asked.api, asked.mapping, asked.folder
            )
        if asked.dry_run:
            with console.status("making every row …"):
                rehearsal = await asyncio.to_thread(rehearsed, job, _SAMPLES)
            return _show_rehearsal(rehearsal, job, console)
        if asked.anew and job.folder.exists():
            _forget(job.folder)
        with Journal(job.folder, job.about) as journal:
            return await _delivered(asked, config, job, journal, console)
    except InvalidInput as error:
        console.print(Text(str(error), style="bold red"), soft_wrap=True)
        return WRONG


async def _delivered(
    asked: Asked, config: Config, job: Job, journal: Journal, console: Console
) -> int:
    stop = told_to_end()
    async with Sender(job.api, job.examined.digest) as sender:
        if asked.check_health:
            try:
                console.print(Text(await sender.check_health(), style="dim"), soft_wrap=True)
            except Stopped as error:
                console.print(Text(f"not begun: {error}", style="bold red"), soft_wrap=True)
                return STOPPED
        delivery = Delivery(job, sender)
        async with headway(console, asked.file.name, delivery.progress):
            progress = await delivery.run(journal, stop)
    state = "complete" if progress.done else progress.stopped
    heading = Heading(asked.file.name, job.api.rows_url, state)
    reports = await asyncio.to_thread(
        write_reports, journal.path, job.folder, heading, config.report.key_columns
    )
    _show(progress, reports, console)
    return _exit_code(progress, reports, stop.is_set())


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
