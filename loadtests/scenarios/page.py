"""The report of a run: for the terminal, and as one page of HTML that asks nobody for anything."""

import io
from collections.abc import Sequence
from html import escape
from typing import Any

from rich.table import Table

from loadtests.scenarios.running import Run
from loadtests.scenarios.told import Latencies

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2733; background: #fff }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin-top: 2rem }
.verdict { padding: .6rem 1rem; border-left: .4rem solid; font-weight: 600; margin: 1rem 0 }
.good { border-color: #1a7f37; background: #e9f7ed }
.bad { border-color: #c6262e; background: #fdecec }
table { border-collapse: collapse } td, th { padding: .2rem .8rem; text-align: right;
       border-bottom: 1px solid #dde3e9; font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left } svg { max-width: 100%; height: auto }
pre { background: #f4f6f8; padding: .8rem; overflow-x: auto }
"""
_BLUE, _ORANGE, _RED, _GREY = "#2563a8", "#d97706", "#c6262e", "#8795a4"


def verdict_of(run: Run) -> str:
    """The verdict in a line."""
    if not run.verdict.good:
        return "NOT RECONCILED: " + "; ".join(run.verdict.reasons)
    tenants = run.verdict.tenants
    distinct, sent = sum(t.distinct for t in tenants), sum(t.sent for t in tenants)
    return (
        f"reconciled: {sent:,} events sent, {sent - distinct:,} of them repeats; "
        f"{distinct:,} distinct = {sum(t.counted for t in tenants):,} counted"
    )


def rows(run: Run) -> list[tuple[str, str]]:
    """The figures of a run: what, and its value."""
    outcome = run.outcome
    acknowledged = sum(second.acknowledged for second in run.seconds)
    lags = sorted(lag for _, lag in run.lags)
    found = [
        ("events due a second", f"{_rate(run):,.0f}"),
        ("… acknowledged", f"{acknowledged / max(outcome.seconds, 0.001):,.0f}"),
        ("latency from when it was due, p50", _ms(outcome.corrected.p50)),
        ("… p99", _ms(outcome.corrected.p99)),
        ("… p99.9", _ms(outcome.corrected.at["99.9"])),
        ("… worst", _ms(outcome.corrected.at["100"])),
        ("latency as a waiting client sees it, p99", _ms(outcome.answered_in.p99)),
        ("requests", f"{outcome.requests:,}"),
        ("generator behind its own time, p99", _ms(outcome.behind.p99)),
        ("until the last event was counted", f"{run.verdict.seconds:.1f} s"),
    ]
    if lags:
        found.append(("acknowledged to counted, median, at most", _ms(lags[len(lags) // 2])))
    found += [(f"answers {status}", f"{n:,}") for status, n in sorted(outcome.answers.items())]
    for path, took in outcome.reads.items():
        found.append((f"{path}: {took.count:,} times, p50 / p99", _both(took)))
    return found


def table(run: Run) -> Table:
    """For the terminal."""
    shown = Table(title=f"{run.name}: {run.about}", show_header=False)
    shown.add_column()
    shown.add_column(justify="right")
    for cells in rows(run):
        shown.add_row(*cells)
    return shown


def page(run: Run) -> str:
    """One page with everything in it."""
    good = "good" if run.verdict.good else "bad"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{escape(run.name)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(run.name)}</h1><p>{escape(run.about)}<br>{escape(run.url)}, run {run.run}",
        f"<p class='verdict {good}'>{escape(verdict_of(run))}</p>",
        "<h2>Sent and counted</h2>",
        _html(("tenant", "sent", "distinct", "acknowledged", "counted"), _tenants(run)),
        "<h2>Figures</h2>",
        _html(None, rows(run)),
        f"<h2>Over time</h2>{_over_time(run)}",
        f"<h2>Latencies</h2>{_distribution(run)}",
        "<p>From when a request was due, a service that stands still is charged with every request"
        " that it holds up; a client that sends only after the last answer would not see them.",
        f"<h2>The scenario</h2><pre>{escape(run.text)}</pre></html>",
    ]
    return "\n".join(parts)


def _tenants(run: Run) -> list[tuple[str, ...]]:
    return [
        (f"{number}", f"{t.sent:,}", f"{t.distinct:,}", f"{t.acknowledged:,}", f"{t.counted:,}")
        for number, t in enumerate(run.verdict.tenants, 1)
    ]


def _html(headings: tuple[str, ...] | None, lines: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(heading)}" for heading in headings or ())
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}" for c in cells) for cells in lines)
    return f"<table><tr>{head}{body}</table>"


def _over_time(run: Run) -> str:
    """Rates, latencies and lag by the second."""
    drawing, axes = _canvas(3)
    at = [second.at for second in run.seconds]
    axes[0].plot(at, [s.due for s in run.seconds], color=_GREY, label="due")
    axes[0].plot(at, [s.acknowledged for s in run.seconds], color=_BLUE, label="acknowledged")
    troubles = [(s.at, s.refused + s.lost + s.wrong) for s in run.seconds]
    for moment, count in troubles:
        if count:
            axes[0].axvline(moment, color=_RED, alpha=0.25)
    axes[0].set(ylabel="events/s", ylim=(0, None))
    for name, color in (("p50", _BLUE), ("p99", _ORANGE)):
        known = [s for s in run.seconds if getattr(s, name) is not None]
        axes[1].plot(
            [s.at for s in known], [getattr(s, name) for s in known], color=color, label=name
        )
    reads = [(s.at, s.read_p99) for s in run.seconds if s.read_p99 is not None]
    if reads:
        axes[1].plot(*zip(*reads, strict=True), color=_GREY, label="questions p99")
    axes[1].set(ylabel="ms", yscale="log")
    if run.lags:
        axes[2].plot(*zip(*run.lags, strict=True), color=_BLUE, label="acknowledged to counted")
    axes[2].set(ylabel="ms, at most", xlabel="seconds", ylim=(0, None))
    return _svg(drawing)


def _distribution(run: Run) -> str:
    """Latencies by percentile: with and without what coordinated omission hides."""
    drawing, [axes] = _canvas(1)
    for took, color, label in (
        (run.outcome.corrected, _ORANGE, "from when it was due"),
        (run.outcome.answered_in, _BLUE, "from when it was sent"),
    ):
        axes.plot(list(took.at), list(took.at.values()), "o-", color=color, label=label)
    axes.set(yscale="log", ylabel="ms", xlabel="percentile")
    return _svg(drawing)


def _canvas(rows: int) -> tuple[Any, list[Any]]:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "headrace"
    from matplotlib import pyplot

    drawing, axes = pyplot.subplots(rows, 1, figsize=(10, 2.6 * rows), squeeze=False)
    return drawing, [line[0] for line in axes]


def _svg(drawing: Any) -> str:
    """The drawing as part of a page."""
    from matplotlib import pyplot

    for axes in drawing.axes:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small")
    drawing.tight_layout()
    text = io.StringIO()
    drawing.savefig(text, format="svg", metadata={"Date": None})
    pyplot.close(drawing)
    return text.getvalue()[text.getvalue().index("<svg") :]


def _rate(run: Run) -> float:
    """Events due a second, over the seconds in which any were."""
    due = [second.due for second in run.seconds if second.due]
    return sum(due) / max(1, len(due))


def _both(took: Latencies) -> str:
    return f"{_ms(took.p50)} / {_ms(took.p99)}"


def _ms(value: float) -> str:
    return f"{value:,.1f} ms" if value < 100 else f"{value:,.0f} ms"
