"""Named points at which a test makes the process die, to prove that nothing depends on luck.

`HEADRACE_CRASH_AT=writer.before_commit` exits there the first time, `…:3` the third time. Unset,
a point costs one look at an empty table.
"""

import os

from service.errors import SettingsError

POINTS = (
    "door.before_publish",
    "door.after_publish",
    "writer.after_read",
    "writer.after_dead_letter",
    "writer.before_commit",
    "ledger.after_begin",
    "ledger.between_inserts",
    "ledger.before_done",
    "writer.after_commit",
    "writer.before_purge",
    "writer.after_purge",
    "rollup.before_commit",
    "rollup.after_commit",
    "retention.before_delete",
    "retention.after_delete",
    "erasure.after_begin",
    "erasure.after_step",
    "erasure.before_end",
    "export.after_part",
    "export.before_rename",
    "import.after_piece",
    "move.after_window",
    "delivery.before_send",
    "delivery.after_send",
    "delivery.before_journal",
    "delivery.after_journal",
    "pipeline.before_append",
    "pipeline.after_append",
    "pipeline.before_write",
    "pipeline.after_write",
    "pipeline.after_aside",
    "pipeline.before_note",
    "pipeline.after_note",
    "pipeline.before_purge",
    "pipeline.after_purge",
    "migrate.before_note",
    "migrate.after_step",
    "migrate.before_commit",
)
EXIT_CODE = 86

_left: dict[str, int] = {}


def arm(where: str) -> None:
    """Arm the point that the setting names; raises SettingsError for a name that is none."""
    _left.clear()
    if where:
        point, _, times = where.partition(":")
        if point not in POINTS or not (times or "1").isdecimal():
            raise SettingsError(f"HEADRACE_CRASH_AT {where!r}: one of {', '.join(POINTS)}, or …:N")
        _left[point] = int(times or 1)


def point(name: str) -> None:
    """Die here, without any cleaning up, when the setting says so."""
    if _left and name in _left:
        _left[name] -= 1
        if _left[name] <= 0:
            os._exit(EXIT_CODE)
