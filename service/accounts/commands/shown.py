"""How commands show what they found: a table for people, or a JSON object a line for programs."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Column, Table

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Screen:
    """Where to show it, and whether as JSON."""

    console: Console
    as_json: bool = False

    def show(self, rows: Sequence[T], columns: Mapping[str, Callable[[T], str]]) -> None:
        """Show rows; `columns` says by heading what the table has of each."""
        if self.as_json:
            for row in rows:
                self.console.out(json.dumps(_plain(row), ensure_ascii=False), highlight=False)
            return
        first, *others = columns
        table = Table(Column(first, no_wrap=True), box=None)
        for heading in others:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(cell(row) for cell in columns.values()))
        self.console.print(table, markup=False)


def day(at: int | None, otherwise: str = "never") -> str:
    """A time in ms since 1970 UTC, to the minute."""
    if at is None:
        return otherwise
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%MZ}"


def state(revoked_at: int | None, expires_at: int | None) -> str:
    """Whether a credential is good, and until when or since when it is not."""
    if revoked_at is not None:
        return f"revoked {day(revoked_at)}"
    if expires_at is None:
        return "live"
    return f"{'live until' if expires_at > time.time() * 1000 else 'expired'} {day(expires_at)}"


def iso(at: int) -> str:
    """A time in ms since 1970 UTC as ISO 8601 text, to the millisecond."""
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return f"{text.removesuffix('+00:00')}Z"


def _plain(row: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON has them; times as ISO 8601 text."""
    fields = dataclasses.asdict(row)
    return {_SAID_AS.get(name, name): _value(name, value) for name, value in fields.items()}


_SAID_AS = {"tenant": "environment_id"}
"""What a field is called by those who do not know our word for it."""


def _value(name: str, value: Any) -> Any:
    if isinstance(value, int) and (name == "at" or name.endswith("_at")):
        return iso(value)
    return sorted(value) if isinstance(value, frozenset) else value
