"""The report of a run: for the terminal, and as one page of HTML that asks nobody for anything."""

from html import escape

from rich.table import Table

from loadtests.drawing import BLUE, GREY, ORANGE, RED, canvas, cells, document, svg
from loadtests.scenarios.running import Run
from loadtests.scenarios.told import Latencies

_HEADINGS = ("tenant", "sent", "distinct", "acknowledged", "counted")
_EXPLAINED = """<p>From when a request was due, a service that stands still is charged with every
request that it holds up; a client that sends only after the last answer would not see them."""


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
    for row in rows(run):
        shown.add_row(*row)
    return shown


def page(run: Run) -> str:
    """One page with everything in it."""
    return document(
        run.name,
        f"{run.about} ({run.url}, run {run.run})",
        (verdict_of(run), run.verdict.good),
        {
            "Sent and counted": cells(_HEADINGS, _tenants(run)),
            "Figures": cells(None, rows(run)),
            "Over time": _over_time(run),
            "Latencies": _distribution(run) + _EXPLAINED,
            "The scenario": f"<pre>{escape(run.text)}</pre>",
        },
    )


def _tenants(run: Run) -> list[tuple[str, ...]]:
    return [
        (f"{number}", f"{t.sent:,}", f"{t.distinct:,}", f"{t.acknowledged:,}", f"{t.counted:,}")
        for number, t in enumerate(run.verdict.tenants, 1)
    ]


def _over_time(run: Run) -> str:
    """Rates, latencies and lag by the second."""
    drawing, axes = canvas(3)
    at = [second.at for second in run.seconds]
    axes[0].plot(at, [s.due for s in run.seconds], color=GREY, label="due")
    axes[0].plot(at, [s.acknowledged for s in run.seconds], color=BLUE, label="acknowledged")
    troubles = [(s.at, s.refused + s.lost + s.wrong) for s in run.seconds]
    for moment, count in troubles:
        if count:
            axes[0].axvline(moment, color=RED, alpha=0.25)
    axes[0].set(ylabel="events/s", ylim=(0, None))
    for name, color in (("p50", BLUE), ("p99", ORANGE)):
        known = [s for s in run.seconds if getattr(s, name) is not None]
        axes[1].plot(
            [s.at for s in known], [getattr(s, name) for s in known], color=color, label=name
        )
    reads = [(s.at, s.read_p99) for s in run.seconds if s.read_p99 is not None]
    if reads:
        axes[1].plot(*zip(*reads, strict=True), color=GREY, label="questions p99")
    axes[1].set(ylabel="ms", yscale="log")
    if run.lags:
        axes[2].plot(*zip(*run.lags, strict=True), color=BLUE, label="acknowledged to counted")
    axes[2].set(ylabel="ms, at most", xlabel="seconds", ylim=(0, None))
    return svg(drawing)


def _distribution(run: Run) -> str:
    """Latencies by percentile: with and without what coordinated omission hides."""
    drawing, [axes] = canvas(1)
    for took, color, label in (
        (run.outcome.corrected, ORANGE, "from when it was due"),
        (run.outcome.answered_in, BLUE, "from when it was sent"),
    ):
        axes.plot(list(took.at), list(took.at.values()), "o-", color=color, label=label)
    axes.set(yscale="log", ylabel="ms", xlabel="percentile")
    return svg(drawing)


def _rate(run: Run) -> float:
    """Events due a second, over the seconds in which any were."""
    due = [second.due for second in run.seconds if second.due]
    return sum(due) / max(1, len(due))


def _both(took: Latencies) -> str:
    return f"{_ms(took.p50)} / {_ms(took.p99)}"


def _ms(value: float) -> str:
    return f"{value:,.1f} ms" if value < 100 else f"{value:,.0f} ms"
