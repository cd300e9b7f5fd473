"""Times as people write them on a command line."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import rich_click as click

_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Moment(click.ParamType[int]):
    """An ISO date or time, UTC where it has no offset; ms since 1970 UTC."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no ISO date or time such as 2026-01-31", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)


class Expiry(click.ParamType[int]):
    """`90m`, `12h`, `30d` from now, or an ISO date or time; ms since 1970 UTC."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        now = time.time_ns() // 1_000_000
        if span := re.fullmatch(r"(\d{1,6})([mhd])", str(value)):
            return now + int(span[1]) * _UNITS[span[2]]
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither like 30d, 12h, 90m nor an ISO date", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if (at := int(moment.timestamp() * 1000)) <= now:
            self.fail(f"{value!r} has gone by", param, ctx)
        return at


class Span(click.ParamType[float]):
    """`90m`, `12h`, `30d`, or `0`; seconds."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if str(value) == "0":
            return 0
        span = re.fullmatch(r"(\d{1,6})([mhd])", str(value))
        if span is None:
            self.fail(f"{value!r} is neither 0 nor like 90m, 24h, 7d", param, ctx)
        return int(span[1]) * _UNITS[span[2]] / 1000


expires = click.option(
    "--expires", type=Expiry(), help="30d, 12h, 90m, or an ISO date. Default: never."
)
of_environment = click.option("--environment", help="Of this one alone: its id or name.")
revoked_too = click.option("--all", "revoked_too", is_flag=True, help="The revoked ones too.")
grace = click.option(
    "--grace",
    type=Span(),
    default="24h",
    show_default=True,
    help="How long the former one stays valid beside the new one: 90m, 24h, 7d; 0: not at all.",
)
