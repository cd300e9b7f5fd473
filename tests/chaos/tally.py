"""What a run of chaos did, and what came of it: a line for each fault and each verdict, in a file.

    HEADRACE_TEST_CHAOS_TALLY=tally.ndjson python -m pytest tests/chaos
    python -m tests.chaos.tally tally.ndjson

Faults are noted where they have really happened. Exit code 1 if an event was lost or doubled, or if
nothing was judged.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

VARIABLE = "HEADRACE_TEST_CHAOS_TALLY"
Layout = Literal["embedded", "cluster"]
LAYOUTS: tuple[Layout, ...] = ("embedded", "cluster")
KINDS = (
    "service killed",
    "died at a named point",
    "broker killed",
    "broker stopped",
    "broker rolled back",
    "writer killed",
    "writer stopped",
    "event store killed",
    "cut off from its event store",
    "cut off from its broker",
    "Redis lies",
    "disk full",
    "stream full",
    "clock shifted",
    "body mutilated",
    "message mutilated",
    "everything sent five times",
    "two writers, two doors",
)


def struck(layout: Layout, kind: str, times: int = 1) -> None:
    """A fault has happened, so many times."""
    assert kind in KINDS, kind
    _note({"layout": layout, "kind": kind, "times": times})


def judged(layout: Layout, acknowledged: int, lost: int, doubled: int) -> None:
    """What was acknowledged has been looked for."""
    _note({"layout": layout, "acknowledged": acknowledged, "lost": lost, "doubled": doubled})


def _note(what: dict[str, str | int]) -> None:
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a") as file:
            file.write(json.dumps(what) + "\n")


def table(notes: list[dict[str, str | int]]) -> Table:
    """Faults by kind and layout, and below them the verdicts."""
    shown = Table(title="chaos")
    shown.add_column("")
    counts: dict[str, Counter[str]] = {layout: Counter() for layout in LAYOUTS}
    for note in notes:
        here = counts[str(note["layout"])]
        if "kind" in note:
            here[str(note["kind"])] += int(note["times"])
        else:
            here["runs judged"] += 1
            here.update({name: int(note[name]) for name in ("acknowledged", "lost", "doubled")})
    for layout in LAYOUTS:
        shown.add_column(layout, justify="right")
    for kind in KINDS:
        shown.add_row(kind, *(f"{counts[layout][kind] or '–'}" for layout in LAYOUTS))
    shown.add_section()
    for name in ("runs judged", "acknowledged", "lost", "doubled"):
        shown.add_row(f"{name}", *(f"{counts[layout][name]:,}" for layout in LAYOUTS))
    return shown


def sound(notes: list[dict[str, str | int]]) -> bool:
    """Whether something was judged, and nothing of it lost or doubled."""
    verdicts = [note for note in notes if "lost" in note]
    return bool(verdicts) and not any(note["lost"] or note["doubled"] for note in verdicts)


def main(path: str) -> int:
    file = Path(path)
    lines = file.read_text().splitlines() if file.exists() else []
    notes = [json.loads(line) for line in lines]
    Console(width=80).print(table(notes))
    return 0 if sound(notes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
