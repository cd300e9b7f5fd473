"""`headrace backup` and `headrace restore`."""

import asyncio
import sys
from pathlib import Path

import rich_click as click
from rich.console import Console

from service.cli.program import settings_here


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def backup(folder: Path) -> None:
    """Copy the data directory into a new FOLDER, while the service runs or while it does not.

    Accounts, events, stream and secret as of one moment; every event acknowledged before is in it.
    For the embedded parts: servers have means of their own.

    \b
    For example:
      headrace backup /backups/2026-01-31
    """
    from service.moving.backup.making import backup

    sys.exit(asyncio.run(backup(settings_here(), folder, Console())))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def restore(folder: Path) -> None:
    """Make a data directory of the backup in FOLDER; nothing that is there is overwritten.

    \b
    For example:
      HEADRACE_DATA_DIR=/var/lib/headrace headrace restore /backups/2026-01-31
    """
    from service.moving.backup.restoring import restore

    sys.exit(asyncio.run(restore(settings_here(), folder, Console())))
