"""Answers drawn in a terminal: tables with bars, and a line of sparks for each group in time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_SPARKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR = 24
"""Characters of the longest bar."""

Row = Mapping[str, Any]


def draw(console: Console, answer: Mapping[str, Any]) -> None:
    """An answer to a query or to SQL, and below it how old it is and what it took."""
    if "columns" in answer:
        _draw_columns(console, answer)
    elif answer.get("rows") and isinstance(answer["rows"][0], dict):
        _draw_rows(console, answer)
    else:
        console.print("nothing was found" if "rows" in answer else _plain(answer), highlight=False)
    console.print(Text(footer(answer), style="dim"))


def spark(values: Sequence[float | None]) -> str:
    """One character a value, as high as it is among them; a blank for none."""
    known = [value for value in values if value is not None]
    most, least = max(known, default=0), min(0, *known) if known else 0
    height = (most - least) or 1
    return "".join(
        " " if value is None else _SPARKS[round((value - least) / height * 7)] for value in values
    )


def bar(value: float | None, most: float) -> str:
    """A bar as long as the value is great; nothing for none, and for what is below zero."""
    if not value or most <= 0 or value < 0:
        return ""
    eighths = max(1, round(value / most * _BAR * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def footer(answer: Mapping[str, Any]) -> str:
    """How old an answer is, where it comes from and what it took."""
    parts = [f"as of {answer['asOf']}" if "asOf" in answer else "", str(answer.get("source", ""))]
    if (read := answer.get("rowsRead")) is not None:
        parts.append(f"{read:,} rows read")
    if (took := answer.get("elapsedMs")) is not None:
        parts.append(f"{took:g} ms")
    if answer.get("cursor") or answer.get("truncated"):
        parts.append("there is more: --limit")
    return " · ".join(part for part in parts if part)


def _draw_columns(console: Console, answer: Mapping[str, Any]) -> None:
    table = _table()
    for column in answer["columns"]:
        number = column["type"] in ("whole", "number")
        table.add_column(_safe(column["name"]), justify="right" if number else "left")
    for row in answer["rows"]:
        table.add_row(*(_shown(value) for value in row))
    console.print(table)


def _draw_rows(console: Console, answer: Mapping[str, Any]) -> None:
    rows = answer["rows"]
    names = [name for name in rows[0].get("dimensions", {}) if name != "time"]
    in_time = "time" in rows[0].get("dimensions", {})
    if in_time and names:
        console.print(_in_time(rows, names))
    else:
        console.print(_with_bars(rows, ["time"] if in_time else names))
    for kind in ("other", "totals"):
        if found := answer.get(kind):
            whole = found if isinstance(found, dict) else found[0]
            told = ", ".join(f"{name} {_number(v)}" for name, v in whole["metrics"].items())
            console.print(Text(f"{kind}: {told}"))


def _with_bars(rows: Sequence[Row], names: Sequence[str]) -> Table:
    """A row for each group, or for each bucket of time, with bars of the first metric."""
    table, metrics = _table(), list(rows[0]["metrics"])
    for name in names:
        table.add_column(_safe(name))
    for name in metrics:
        table.add_column(_safe(name), justify="right")
        if "compare" in rows[0]:
            table.add_column("before", justify="right", style="dim")
    table.add_column("")
    most = max((row["metrics"][metrics[0]] or 0 for row in rows), default=0)
    for row in rows:
        cells = [_shown(row["dimensions"][name]) for name in names]
        for name in metrics:
            cells.append(_shown(row["metrics"][name]))
            if "compare" in rows[0]:
                cells.append(_shown((row.get("compare") or {"metrics": {}})["metrics"].get(name)))
        table.add_row(*cells, Text(bar(row["metrics"][metrics[0]], most), style="cyan"))
    return table


def _in_time(rows: Sequence[Row], names: Sequence[str]) -> Table:
    """A row for each group: what each metric was from bucket to bucket, its last and its most."""
    table, metrics = _table(), list(rows[0]["metrics"])
    for name in names:
        table.add_column(_safe(name))
    for name in metrics:
        table.add_column(_safe(name))
        table.add_column("last", justify="right")
        table.add_column("most", justify="right")
    for key, buckets in _groups(rows, names).items():
        cells: list[Text] = [_shown(msgspec.json.decode(value)) for value in key]
        for name in metrics:
            values = [bucket["metrics"][name] for bucket in buckets]
            most = max((value for value in values if value is not None), default=None)
            cells += [Text(spark(values), style="cyan"), _shown(values[-1]), _shown(most)]
        table.add_row(*cells)
    return table


def _groups(rows: Iterable[Row], names: Sequence[str]) -> Mapping[tuple[bytes, ...], list[Row]]:
    """The rows of each group, earliest bucket first."""
    groups: dict[tuple[bytes, ...], list[Row]] = {}
    for row in rows:
        key = tuple(msgspec.json.encode(row["dimensions"][name]) for name in names)
        groups.setdefault(key, []).append(row)
    for buckets in groups.values():
        buckets.sort(key=lambda row: row["dimensions"]["time"])
    return groups


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="bold")


def _shown(value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Text(_safe(value if isinstance(value, str) else msgspec.json.encode(value).decode()))
    return Text(_number(value))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def _safe(text: str) -> str:
    """A text of strangers without what a terminal would take for orders."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def _plain(answer: Mapping[str, Any]) -> str:
    return _safe(msgspec.json.encode(answer).decode())
