"""The command line: parsing only. Each command calls one function; errors become one line."""

from service.cli import accounts, dead_letters, events, service
from service.cli.program import headrace

for _command in (
    service.up,
    service.serve,
    service.work,
    service.health,
    service.demo,
    accounts.keys,
    accounts.environments,
    accounts.users,
    events.replay,
    service.verify,
    service.settings,
    service.migrate,
    events.export_events,
    events.import_events,
    events.move_events,
    dead_letters.dead_letters,
):
    headrace.add_command(_command)


def main() -> None:
    """The program `headrace`."""
    headrace(prog_name="headrace")
