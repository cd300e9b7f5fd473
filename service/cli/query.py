"""`headrace query`."""

import asyncio
import ssl
import sys
from contextlib import nullcontext
from typing import Any, BinaryIO

import rich_click as click
from rich.console import Console

from service import running
from service.cli.program import settings_here

_FORMS = ("table", "csv", "json", "ndjson")


@click.command()
@click.argument("file", type=click.File("rb"), required=False)
@click.option(
    "--metric", "-m", "metrics", multiple=True, help="What: events, users, avg(payload.x)."
)
@click.option("--by", "-b", multiple=True, help="A row for each: type, user, source, payload.x.")
@click.option("--filter", "-f", "filters", multiple=True, help="Of which: 'type is login'.")
@click.option(
    "--range", "-r", default="24h", show_default=True, help="Up to now: 15m, 24h, 7d, 4w."
)
@click.option("--start", help="From here instead: an ISO date or time. With --end.")
@click.option("--end", help="Up to here, not included.")
@click.option("--interval", "-i", help="In time: minute, quarter, hour, day, week; 10s, 5m, 6h ...")
@click.option("--tz", help="Whose clock days and weeks follow: Europe/Berlin. Default: UTC.")
@click.option("--compare", is_flag=True, help="Beside it the time of equal length before.")
@click.option("--order", multiple=True, help="By this; -users for the most first.")
@click.option("--limit", type=click.IntRange(1, 10_000), help="How many groups, or rows of SQL.")
@click.option("--totals", is_flag=True, help="Also of all together.")
@click.option("--other", is_flag=True, help="Also of the groups that are not shown, as one.")
@click.option("--sql", help="Ask in SQL instead.")
@click.option("--param", "parameters", multiple=True, help="Of $name in SQL: name=value.")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default="table",
    show_default=True,
    help="How the answer is printed.",
)
@click.option("--url", help="Where the service is. Default: the one on the data directory.")
@click.option("--api-key", help="Default: one made for this question.")
def query(
    file: BinaryIO | None,
    sql: str | None,
    parameters: tuple[str, ...],
    form: str,
    url: str | None,
    api_key: str | None,
    **words: Any,
) -> None:
    """Ask a running service, and draw the answer: tables with bars, sparks for what runs in time.

    FILE is a query as JSON (docs/api-query.md), `-` is standard input. Without one the options
    say what is asked, or `--sql` does (docs/api-sql.md).

    \b
    A filter is a field, an operator and a value:
      type is login           user in ada, bob           source is not web
      payload.price >= 10     payload.plan exists        payload.page starts with /docs

    \b
    For example:
      headrace query
      headrace query --by type --range 7d
      headrace query -m events -m users --interval hour --filter 'type is login'
      headrace query --by type --interval day --range 4w --tz Europe/Berlin
      headrace query -m 'p95(payload.ms)' --by payload.page --limit 10 --totals
      headrace query --by source --compare --format csv > sources.csv
      headrace query --sql 'SELECT event_type, count(*) AS n FROM events GROUP BY 1 ORDER BY 2'
      headrace query question.json --format ndjson
    """
    from service.accounts.commands.opened import borrowed_key
    from service.terminal.inquiry import Inquiry, inquire
    from service.terminal.wording import Wording, query_of, sql_of

    if file and sql:
        raise click.UsageError("FILE and --sql exclude each other")
    if parameters and not sql:
        raise click.UsageError("--param belongs to --sql")
    settings = settings_here()
    if url and not api_key and (sql or not settings.bootstrap_api_key):
        known = "one with the scope sql" if sql else "or HEADRACE_BOOTSTRAP_API_KEY"
        raise click.UsageError(f"--url needs --api-key, {known}")
    if sql:
        asked = Inquiry("sql", sql_of(sql, parameters, words["limit"]), form)
    else:
        asked = Inquiry("query", file.read() if file else query_of(Wording(**words)), form)

    async def ask() -> None:
        to: str | None = url
        trust: ssl.SSLContext | bool = True
        if to is None:
            there = running.read(settings.data_dir)
            to, trust = there.url, running.trusted(there.certificate)
        scopes = ("sql",) if sql else ("read",)
        async with nullcontext(api_key) if api_key else borrowed_key(settings, scopes) as key:
            await inquire(asked, to, key, Console(), sys.stdout.buffer, trust)

    asyncio.run(ask())
