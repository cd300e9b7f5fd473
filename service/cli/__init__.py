"""The command line: parsing only. Each command calls one function; errors become one line."""

from service.cli import (
    audit,
    backup,
    customers,
    dead_letters,
    deliver,
    doctor,
    envs,
    events,
    keys,
    query,
    service,
    service_accounts,
    signing,
    users,
)
from service.cli.program import headrace

for _command in (
    service.up,
    service.serve,
    service.work,
    service.health,
    service.demo,
    keys.keys,
    envs.envs,
    users.users,
    service_accounts.service_accounts,
    signing.signing,
    customers.customers,
    audit.audit,
    query.query,
    events.replay,
    service.verify,
    doctor.doctor,
    backup.backup,
    backup.restore,
    service.settings,
    service.migrate,
    events.export_events,
    events.import_events,
    events.move_events,
    deliver.deliver,
    dead_letters.dead_letters,
):
    headrace.add_command(_command)


def main() -> None:
    """The program `headrace`."""
    headrace(prog_name="headrace")
