"""`headrace doctor`."""

import asyncio
import sys

import rich_click as click

from service.cli.program import settings_here
from service.cli.showing import as_json, screen


@click.command()
@click.option(
    "--nats-monitoring",
    default="",
    metavar="URL",
    help="A NATS server's monitoring port, http://host:8222, to be asked how it syncs.",
)
@as_json
def doctor(nats_monitoring: str, as_json: bool) -> None:
    """Look at an installation: what is right, what is not, what to do; exit code 1 if it is not.

    Settings, secrets, certificate, disks, clocks, schemas, the stream, the writer, every part that
    a URL names. Changes nothing; beside a running service or without one.

    \b
    For example:
      headrace doctor
      headrace doctor --json | grep -v '"right"'
    """
    from service.doctor.rounds import doctor

    sys.exit(asyncio.run(doctor(settings_here(), nats_monitoring, screen(as_json))))
