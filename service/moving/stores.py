"""`headrace move`: all events of one event store into an empty one, with their positions.

A writer of its own kind: it stores groups and moves the mark with them, as the writer does, only
that it reads another store instead of the stream. So the target's own mark says how far it has come
whatever dies, and nothing counts twice. Until all is moved the mark names no stream, so that no
writer goes on from the middle; then it names the source's stream and place in it. A service that
starts on the target, beside the same stream, goes on there; beside another stream it begins an
epoch.
"""

from dataclasses import replace

from rich.console import Console
from rich.table import Table

from service import crash
from service.bootstrap import open_store
from service.errors import DataDirectoryBusy, InvalidInput, TransferFailed
from service.moving.parties import is_running, opened_source
from service.plan import STORED
from service.replay.progress import progress
from service.rollup import Rollup
from service.settings import Settings
from service.storage.protocol import EPOCH_SHIFT, EventStore, Group, Progress
from service.telemetry import configure_logs
from service.transfer.outgoing import Choice, Extent, Source, Stored, Window

ENGINES = ("duckdb", "clickhouse")
_EVERYTHING = Choice(canaries=True)


async def move(settings: Settings, giver: str, taker: str, console: Console) -> int:
    """Move everything from the engine `giver` to the engine `taker`; the exit code.

    Run again it goes on: after a kill, and with what was stored since.

    Raises TransferFailed when the target holds other events, or other than were sent, and
    InvalidInput when the settings name no ClickHouse.
    """
    _check(settings, giver, taker)
    configure_logs(settings.log_format, settings.secrets)
    crash.arm(settings.crash_at)
    of_giver, of_taker = _with(settings, giver), _with(settings, taker)
    hold = is_running(settings) or of_giver.is_shared
    async with (
        opened_source(of_giver) as source,
        open_store(of_taker, hold=hold, fill=True) as target,
    ):
        extent = await source.extent(_EVERYTHING, (await target.progress()).position)
        if extent.dialect != giver:
            raise InvalidInput(f"the running service keeps its events in {extent.dialect}; stop it")
        before = await _place(target, extent.progress)
        moved = await _carry(source, target, extent, before, console)
        total = await _compare(source, target, extent.progress)
        await _roll_up(target, console)
    console.print(_report(giver, taker, moved, total))
    return 0


def _check(settings: Settings, giver: str, taker: str) -> None:
    if giver == taker:
        raise InvalidInput(f"it is in {giver} already: name another engine with --from or --to")
    if not settings.clickhouse_url:
        raise InvalidInput("set CLICKHOUSE_URL: it says where ClickHouse is")
    if giver == "clickhouse" and is_running(settings):
        raise DataDirectoryBusy("a service is at work on the data directory: stop it, then move")


def _with(settings: Settings, engine: str) -> Settings:
    return settings if engine == "clickhouse" else replace(settings, clickhouse_url="")


async def _place(target: EventStore, of_source: Progress) -> Progress:
    """How far the target has come; raises TransferFailed when it is not the source's copy."""
    place = await target.progress()
    ours = {"", _passing(of_source.stream_created), of_source.stream_created}
    named = place.stream_created in ours and (place.stream_created or not place.position)
    if not named or place.position > of_source.position:
        raise TransferFailed(
            "the target holds events that did not come from here; "
            "use `headrace export` and `headrace import`, which add to what is there"
        )
    return place


def _passing(stream: str) -> str:
    """The mark's name while a move is under way: no stream has it."""
    return f"moving {stream}"


async def _carry(
    source: Source, target: EventStore, extent: Extent, before: Progress, console: Console
) -> int:
    moved = 0
    with progress(console, "move", extent.events) as shown:
        for window in await _unfinished_first(target, extent, before):
            after = _mark(extent.progress, window.until)
            rows = await source.rows(_EVERYTHING, window.after, window.until)
            await target.append(Group(rows, before, after))
            before, moved = after, moved + rows.num_rows
            shown.advance(rows.num_rows)
            crash.point("move.after_window")
    if before != extent.progress:
        await target.append(Group(STORED.empty_table(), before, extent.progress))
    return moved


async def _unfinished_first(target: EventStore, extent: Extent, before: Progress) -> list[Window]:
    """The windows to carry; a group that was begun and torn comes first, cut as it was."""
    torn = await target.pending()
    if torn is None:
        return extent.windows
    until = torn.after.position
    first = Window(before.position, until, torn.rows)
    rest = [
        Window(max(window.after, until), window.until, window.events)
        for window in extent.windows
        if window.until > until
    ]
    return [first, *rest]


def _mark(last: Progress, position: int) -> Progress:
    """The mark of the target at a position on the way."""
    epoch, sequence = position >> EPOCH_SHIFT, position & (1 << EPOCH_SHIFT) - 1
    return Progress(epoch, _passing(last.stream_created), sequence)


async def _compare(source: Source, target: EventStore, last: Progress) -> int:
    """How many events both hold; raises TransferFailed when they do not hold the same."""
    sent = await source.sums(0, last.position)
    arrived = await Stored(target).sums(0, last.position)
    if wrong := [name for name, total in sent.items() if arrived[name] != total]:
        raise TransferFailed(
            f"the target does not hold what was sent: it differs in {', '.join(wrong)} "
            f"({arrived['events']:,} events of {sent['events']:,})"
        )
    return sent["events"]


async def _roll_up(target: EventStore, console: Console) -> None:
    """Where rollups are kept in steps, take them now, so that the first answers are fast."""
    rollup = Rollup(target)
    with console.status("rolling up"):
        while await rollup.roll():
            while await rollup.merge_if_due():
                pass


def _report(giver: str, taker: str, moved: int, total: int) -> Table:
    table = Table("from", "to", box=None, pad_edge=False)
    for heading in ("moved", "already there", "in both"):
        table.add_column(heading, justify="right")
    table.add_row(giver, taker, f"{moved:,}", f"{total - moved:,}", f"{total:,}")
    return table
