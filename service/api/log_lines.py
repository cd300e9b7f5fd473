"""Logs of pipelines: the newest lines as a list, or lines as they come over a WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from service.api.answers import iso
from service.api.outlets import Outlet
from service.api.served import parameters_of
from service.errors import InvalidInput
from service.pipelines.insight import MOST_LINES
from service.pipelines.telling import Line

Read = Callable[[Sequence[int]], Awaitable[tuple[list[int], list["LineDocument"]]]]
"""The lines after these places, one for each pipeline; and the places after them. Raises when the
listener may listen no more."""

_PAUSE = 0.4
"""Seconds between two looks for lines, and for whether the listener still may."""


class LineDocument(msgspec.Struct):
    """A line of a log."""

    id: str
    pipeline_id: str
    time: str
    level: str
    message: str


def line_document(pipeline_id: str, number: int, line: Line) -> LineDocument:
    """The line as faces show it."""
    return LineDocument(str(number), pipeline_id, iso(line.time), line.level, line.text)


class Ear:
    """Hears lines until it is ended, by whoever listens or by the server."""

    def __init__(
        self, read: Read, places: Sequence[int], known: Sequence[LineDocument] = ()
    ) -> None:
        """`known` are told first; `places` are behind them."""
        self._read = read
        self._places = list(places)
        self._known = known
        self._ended = asyncio.Event()

    def end(self) -> None:
        """There will be no more."""
        self._ended.set()

    async def states(self, heartbeat: float) -> AsyncIterator[LineDocument | None]:
        """Each line; None when there was none for so many seconds."""
        for line in self._known:
            yield line
        silent = 0.0
        while not self._ended.is_set():
            self._places, lines = await self._read(self._places)
            for line in lines:
                yield line
            silent = 0.0 if lines else silent + _PAUSE
            if silent >= heartbeat:
                silent = 0.0
                yield None
            await self._wait()

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._ended.wait(), _PAUSE)
        except TimeoutError:
            return


async def tell_line(outlet: Outlet, line: LineDocument) -> None:
    """Send a line as a message of its own."""
    told = msgspec.structs.asdict(line)
    await outlet.tell(told.pop("id"), msgspec.json.encode(told))


def lines_asked(scope: Mapping[str, Any]) -> int:
    """How many lines are asked for at most. Raises InvalidInput."""
    raw = parameters_of(scope["query_string"])
    for name in raw:
        if name != "limit":
            raise InvalidInput(f"`{name}` is not a parameter here", name)
    text = raw.get("limit", "100")
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_LINES):
        raise InvalidInput(f"`limit` must be a whole number from 1 to {MOST_LINES}", "limit")
    return int(text)
