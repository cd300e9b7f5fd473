"""Files and configurations for a delivery, and the delivery itself, in this process."""

import asyncio
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from service.terminal.delivering import Asked, deliver
from tests.delivery.api import Api

QUICK = {"backoff_factor": 0.01, "timeout": 5}
"""Settings for an API in the same test."""


def a_csv(folder: Path, rows: int, **columns: str) -> Path:
    """Customers `0`, `1`, …: `id,name,email` and more columns of one value each."""
    path = folder / "customers.csv"
    more = "".join(f",{value}" for value in columns.values())
    lines = [f"{n},Company {n},user{n}@example.com{more}\n" for n in range(rows)]
    path.write_text("".join([",".join(["id", "name", "email", *columns]), "\n", *lines]))
    return path


def a_config(
    folder: Path, api: Api, settings: Mapping[str, Any] | None = None, **more: Any
) -> Path:
    """A configuration for the API; `more` stands beside it, or in it with `of_` before."""
    path = folder / "api_config.json"
    told = {k.removeprefix("of_"): v for k, v in more.items() if k.startswith("of_")}
    shared = {k: v for k, v in more.items() if not k.startswith("of_")}
    mock = {"base_url": api.url, "endpoints": {"customers": "/users"}, **told}
    path.write_text(
        json.dumps({"mock": mock | {"settings": QUICK | dict(settings or {})}, **shared})
    )
    return path


async def delivered(file: Path, config: Path, **asked: Any) -> tuple[int, str]:
    """The exit code of a delivery and what it printed."""
    said = io.StringIO()
    variables = asked.pop("variables", {})
    code = await deliver(Asked(file, config, **asked), variables, Console(file=said, width=200))
    return code, said.getvalue()


def the_report(file: Path, api: str = "mock") -> dict[str, Any]:
    """What `report.json` says."""
    path = file.with_name(f"{file.name}.delivery") / api / "report.json"
    return msgspec.json.decode(path.read_bytes())  # type: ignore[no-any-return]


def rows_of(file: Path, outcome: str) -> Sequence[int]:
    """The numbers of the rows that came to this end."""
    return sorted(r["row"] for r in the_report(file)["results"] if r["outcome"] == outcome)


def in_time(coroutine: Any) -> Any:
    """Its result, within a generous limit."""
    return asyncio.wait_for(coroutine, 60)
