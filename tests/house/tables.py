"""The tables of the documentation that are made from the code. `make tables` writes them anew."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litestar import Litestar

from service.accounts import audit
from service.app import create_app
from service.errors import HeadraceError
from service.settings import FIELDS, Settings
from service.telemetry import registry
from tests.api.edge import parts_of

ROOT = Path(__file__).parents[2]


def settings_table() -> str:
    """Every setting: its variable, its default, what it is for."""
    defaults = Settings()
    lines = ["| variable | default | what it is for |", "| --- | --- | --- |"]
    for variable, field in FIELDS.items():
        default = getattr(defaults, field.name)
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        lines.append(
            f"| `{variable}` | {f'`{shown}`' if shown else ''} | {field.metadata['about']} |"
        )
    return "\n".join(lines)


def telemetry_table() -> str:
    """Every series: its name as Prometheus shows it, its kind, its labels, what it counts."""
    lines = ["| series | kind | labels | what it tells |", "| --- | --- | --- | --- |"]
    for name, kind, labels, about in sorted(_series()):
        lines.append(f"| `{name}` | {kind} | {labels} | {about} |")
    return "\n".join(lines)


def errors_table() -> str:
    """Every code that an error of ours carries, and whether the same request may be tried again."""
    lines = ["| code | try again | what it means |", "| --- | --- | --- |"]
    for kind in _kinds(HeadraceError):
        if "code" in vars(kind):
            about = (kind.__doc__ or "").strip().split("\n")[0]
            again = "yes" if kind.retryable else "no"
            lines.append(f"| `{kind.code}` | {again} | {about} |")
    return "\n".join(lines)


def statements_table() -> str:
    """How many texts the statements have, and the names of those with more than one form."""
    forms: dict[str, set[str]] = {}
    for path in (ROOT / "queries").glob("*.sql"):
        name, *engine = path.name.removesuffix(".sql").split(".")
        forms.setdefault(name, set()).update(engine or ["both"])
    kinds = {
        "one text for both engines": [n for n, f in forms.items() if f == {"both"}],
        "a text for each engine": [n for n, f in forms.items() if len(f) > 1],
        "asked of DuckDB alone": [n for n, f in forms.items() if f == {"duckdb"}],
        "asked of ClickHouse alone": [n for n, f in forms.items() if f == {"clickhouse"}],
    }
    lines = ["| statements | how many | which |", "| --- | --- | --- |"]
    for kind, names in kinds.items():
        named = (
            "all others" if kind.startswith("one") else ", ".join(f"`{n}`" for n in sorted(names))
        )
        lines.append(f"| {kind} | {len(names)} | {named} |")
    return "\n".join(lines)


def rules_table() -> str:
    """Who may call which route."""
    callers: dict[str, list[str]] = {}
    app = create_app(parts_of(prometheus_enabled=True))
    for method, path, rule in routes(app):
        if method != "HEAD":
            shown = re.sub(r":\w+}", "}", path)
            callers.setdefault(rule.about, []).append(f"`{method} {shown}`")
    lines = ["| who | may call |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {who} | {', '.join(may)} |" for who, may in callers.items())])


def actions_table() -> str:
    """Every action that the audit log knows, by what it is done to."""
    actions: dict[str, list[str]] = {}
    for name, value in vars(audit).items():
        if name.isupper() and isinstance(value, str):
            actions.setdefault(value.partition(".")[0], []).append(f"`{value}`")
    lines = ["| done to | actions |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {of} | {', '.join(a)} |" for of, a in actions.items())])


def routes(app: Litestar) -> list[tuple[str, str, Any]]:
    """Each route: method, path, and the rule that it declares. Neither `/docs` nor OPTIONS."""
    found = [
        (method, route.path, handler.opt.get("rule"))
        for route in app.routes
        if not route.path.startswith("/docs")
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods - {"OPTIONS"}
    ]
    return sorted(found, key=lambda route: (route[1], route[0]))


TABLES = {
    "settings": ("docs/operations.md", settings_table),
    "telemetry": ("docs/operations.md", telemetry_table),
    "errors": ("docs/operations.md", errors_table),
    "actions": ("docs/api-accounts.md", actions_table),
    "rules": ("docs/api-accounts.md", rules_table),
    "statements": ("docs/architecture.md", statements_table),
}


def written(name: str) -> str:
    """The table as it stands in the documentation, between its two marks."""
    page, _ = TABLES[name]
    found = _between(name).search((ROOT / page).read_text("utf-8"))
    return found[1] if found else f"{page} has no <!-- {name} --> … <!-- /{name} -->"


def write(name: str) -> None:
    """Put the table into the documentation."""
    page, make = TABLES[name]
    path = ROOT / page
    new = f"<!-- {name} -->\n{make()}\n<!-- /{name} -->"
    path.write_text(_between(name).sub(lambda _: new, path.read_text("utf-8")), "utf-8")


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", re.S)


def _series() -> Iterator[tuple[str, str, str, str]]:
    for family in registry.collect():
        collector = registry._names_to_collectors[family.name]
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield name, family.type, ", ".join(collector._labelnames), family.documentation


def _kinds(kind: type[HeadraceError]) -> Iterator[type[HeadraceError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


if __name__ == "__main__":
    for name in TABLES:
        write(name)
