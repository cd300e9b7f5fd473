"""The table of a run: for the terminal, and for `docs/performance.md`."""

from pathlib import Path

from rich.table import Table

from loadtests.figures import Figure, Results, moved

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_HEADINGS = ("", "measured", "target", "limit in the same run", "ratio", "since last")
_STILL = 0.02
"""A smaller change than this share is not worth an arrow."""

_INTRODUCTION = """# Performance

Written by `make bench`; do not edit. Every figure comes from one run on one machine, the load
generator included on the same cores, everything on loopback, the stream synced to disk before each
acknowledgement. Limits are measured minutes apart in the same run: the same bodies and documents
through the least code that can handle them, in uvicorn as it comes with the service's options. A
ratio to
such a limit says more than an absolute figure from another machine. Kept runs are in
`loadtests/results/`.
"""

_METHOD = """
## How it is measured

* **Generator** (`loadtests/generator.py`): a process of its own that sends prepared bytes and
  patches ids, sessions and times into them; its own ceiling is in the table. Closed loop where a
  maximum is sought; open loop where a rate is kept, with latencies counted from the moment a
  request was due (so a stall is not hidden by the requests it held up).
* **Sustained** is every acknowledged event divided by the time from the first request until the
  last of them was counted in an uncached metrics answer; the run fails if that count is not
  exactly what was acknowledged.
* **Freshness** is the time from the arrival of an acknowledgement to the arrival of an uncached
  metrics answer that counts the event; the answer's count is checked each time.
* **Live answers**: an event each second and a half; the time from its acknowledgement until each
  listener to one question has the document that counts it, all listeners in one process of the
  generator's.
* **Uncached questions** are timed by the client: HTTP and the event loop's queue are in them.
* **Queries** are POSTed one after the other and timed to their last byte; by hand are the
  statements of `loadtests/by_hand/query_*`, on the same file before the service opens it. What the
  peer took was measured once, on such a machine, over HTTP too.
* **Ratios** are medians of rounds that alternate between the service and the limit.
* **Beside Redis** are cached answers of twenty questions, each computed anew every second, asked of
  two services in turn: one with a Valkey on this machine, one with its own memory alone. A Redis
  that hangs is one that is stopped (SIGSTOP) for the round.
* **Idle connections** were each answered once and then kept; the others ask at a fixed rate, with
  latencies counted from when a request was due.
* **ClickHouse**: the engine is in the service's process (`CLICKHOUSE_URL=chdb:///…`). Bare inserts
  are groups of 50,000 rows straight into the engine: into the service's table with its views, and
  into a plain table with the same columns.
* **Deliveries**: a process sends, its start counted in; another one answers 201 at once.
* **Resident memory** is the sum over the service's processes (API with writer, nats-server).
"""


def table(results: Results, before: Results | None) -> Table:
    """For the terminal."""
    shown = Table(title=f"headrace bench, {results.scale}, {results.commit}")
    for heading in _HEADINGS:
        shown.add_column(heading, justify="left" if not heading else "right")
    section = ""
    for figure in results.figures:
        if section and section != figure.name.split(".")[0]:
            shown.add_section()
        section = figure.name.split(".")[0]
        color = {True: "green", False: "red", None: "default"}[figure.good]
        shown.add_row(*_cells(figure, before), style=color)
    return shown


def page(results: Results, before: Results | None) -> str:
    """For the documentation."""
    machine = results.machine
    parts = ", ".join(f"{name} {number}" for name, number in machine.parts.items())
    lines = [
        _INTRODUCTION,
        f"* Command: `{results.command}` ({results.seconds / 60:.0f} min)",
        f"* Date: {results.date:%Y-%m-%d %H:%M} UTC; commit {results.commit}",
        f"* Machine: {machine.cores} cores of {machine.processor}, {machine.memory_gb} GB, "
        f"{machine.system}, Python {machine.python}; {parts}",
        f"* Compared with: {before.date:%Y-%m-%d %H:%M} UTC, commit {before.commit}"
        if before
        else "* Compared with: nothing, this is the first kept run",
        "",
        "| " + " | ".join(("figure", *_HEADINGS[1:], "reached")) + " |",
        "|---" + "|---:" * (len(_HEADINGS) - 1) + "|---|",
    ]
    reached = {True: "yes", False: "**no**", None: ""}
    lines += [
        f"| {' | '.join((*_cells(figure, before), reached[figure.good]))} |"
        for figure in results.figures
    ]
    return "\n".join(lines) + "\n" + _METHOD


def _cells(figure: Figure, before: Results | None) -> tuple[str, ...]:
    grown = moved(figure, before)
    return (
        figure.about,
        f"{_number(figure.value)} {figure.unit}",
        _target(figure),
        f"{_number(figure.limit)} ({figure.limit_about})" if figure.limit else "",
        f"{figure.ratio:.0%}" if figure.ratio is not None else "",
        "" if grown is None else "=" if abs(grown) < _STILL else f"{grown:+.0%}",
    )


def _target(figure: Figure) -> str:
    sign = "≥" if figure.better == "more" else "≤"
    if figure.target_ratio is not None:
        return f"{sign} {figure.target_ratio:.0%} of the limit"
    return "" if figure.target is None else f"{sign} {_number(figure.target)}"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
