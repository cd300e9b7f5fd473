"""What pipelines tell, kept on the broker for whoever asks: lines of logs, figures, states."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from service.pipelines.bus import Broker, check_id
from service.pipelines.model import Assignment, State
from service.pipelines.watching import Figures, Level
from service.stream.bucket import Bucket, Moved
from service.stream.journal import Journal, Shape

LOGS = Shape(
    "HEADRACE_PIPELINE_LOGS",
    "headrace.pipeline_log.*",
    64 * 1024 * 1024,
    each=1000,
    days=7,
    rolling=True,
)
FIGURES = "HEADRACE_PIPELINE_FIGURES"
_LONGEST = 2000


class Assignments(Protocol):
    """Which pipelines are to be run, and what became of them."""

    async def live(self) -> Sequence[Assignment]:
        """Those in state building or live, in every environment."""
        ...

    async def is_gone(self, pipeline_id: str) -> bool:
        """Whether there is no such pipeline any more, in whatever state."""
        ...

    async def note_state(
        self, pipeline_id: str, version: int, state: State, reason: str = ""
    ) -> bool:
        """A pipeline, as this version of it, is now live, or ended with an error; whether that is
        what is wanted of it still. Raises AccountsUnavailable.
        """
        ...


class Line(msgspec.Struct, frozen=True):
    """One line of a pipeline's log."""

    time: int
    """ms since 1970 UTC."""
    level: Level
    text: str


class Logs:
    """The logs of all pipelines: the newest 1000 lines of each, for a week."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @classmethod
    async def on(cls, broker: Broker) -> "Logs":
        return cls(await broker.journal(LOGS))

    async def write(self, pipeline_id: str, line: Line) -> None:
        shorter = msgspec.structs.replace(line, text=line.text[:_LONGEST])
        await self._journal.append(msgspec.json.encode(shorter), _subject(pipeline_id))

    async def read(
        self, pipeline_id: str, after: int = 0, most: int = 1000
    ) -> Sequence[tuple[int, Line]]:
        """The oldest lines after that number, each with its own: to follow, ask after the last."""
        found = await self._journal.read(after, most, _subject(pipeline_id))
        return [(one.sequence, msgspec.json.decode(one.body, type=Line)) for one in found]


class FigureBook:
    """The figures of every subscription (and of each source, under the name `source`)."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._revisions: dict[str, int] = {}

    @classmethod
    async def on(cls, broker: Broker) -> "FigureBook":
        return cls(await broker.bucket(FIGURES))

    async def write(self, pipeline_id: str, part: str, figures: Figures) -> None:
        key = f"{pipeline_id}.{part}"
        body = msgspec.json.encode(figures)
        try:
            self._revisions[key] = await self._bucket.put(key, body, self._revisions.get(key, 0))
        except Moved:
            _, self._revisions[key] = await self._bucket.get(key)

    async def read(self, pipeline_id: str) -> dict[str, Figures]:
        """The figures of a pipeline's parts as they were told last."""
        check_id(pipeline_id)
        found = {}
        for key in await self._bucket.keys(pipeline_id):
            value, _ = await self._bucket.get(key)
            if value:
                found[key.partition(".")[2]] = msgspec.json.decode(value, type=Figures)
        return found

    async def forget(self, pipeline_id: str) -> None:
        await self._bucket.forget(f"{pipeline_id}.>")


def _subject(pipeline_id: str) -> str:
    check_id(pipeline_id)
    return LOGS.subject.replace("*", pipeline_id)
