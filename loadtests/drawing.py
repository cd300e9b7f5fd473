"""Reports as one page of HTML each, which asks nobody for anything: figures and drawings."""

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

BLUE, ORANGE, RED, GREY = "#2563a8", "#d97706", "#c6262e", "#8795a4"
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


def document(title: str, about: str, verdict: tuple[str, bool], parts: Mapping[str, str]) -> str:
    """The page: `parts` are HTML by their headings; `verdict` a text, and whether it is good."""
    said, good = verdict
    lines = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1><p>{escape(about)}</p>",
        f"<p class='verdict {'good' if good else 'bad'}'>{escape(said)}</p>",
        *(f"<h2>{escape(heading)}</h2>{part}" for heading, part in parts.items()),
    ]
    return "\n".join([*lines, "</html>"])


def cells(headings: tuple[str, ...] | None, lines: Sequence[tuple[str, ...]]) -> str:
    """A table."""
    head = "".join(f"<th>{escape(heading)}" for heading in headings or ())
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}" for c in cells) for cells in lines)
    return f"<table><tr>{head}{body}</table>"


def canvas(rows: int) -> tuple[Any, list[Any]]:
    """A drawing with so many plots below each other, and these."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "headrace"
    from matplotlib import pyplot

    drawing, axes = pyplot.subplots(rows, 1, figsize=(10, 2.6 * rows), squeeze=False)
    return drawing, [line[0] for line in axes]


def svg(drawing: Any) -> str:
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
