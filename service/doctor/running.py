"""The processes that run on the data directory, and whether the writer keeps up."""

import asyncio
from collections.abc import Sequence

import httpx2
import msgspec

from service import running
from service.condition import Condition, condition_in
from service.doctor.clocks import compare
from service.doctor.remark import Part, Remark
from service.errors import NotRunning
from service.events import now_ms
from service.running import Running
from service.settings import Settings
from service.stream.standing import Standing

_PART, _WRITER, _STORE = Part("service"), Part("writer"), Part("event store")
_PATIENCE = 10.0
_CATCHING_UP = 5.0
"""Seconds that the store has to reach what the stream had."""
_LOOK_AGAIN = 0.2


async def examine_running(
    settings: Settings, standing: Standing | None
) -> tuple[list[Remark], bool]:
    """The remarks, and whether the event store was asked through the service."""
    try:
        there = running.read_all(settings.data_dir)
    except NotRunning as error:
        return [_PART.wrong("runs", str(error), "start it, or run this where it runs")], False
    found = [await _readiness(one) for one in there]
    try:
        api = running.read(settings.data_dir)
    except NotRunning:
        said = "only a writer runs here; how far it is, the API's processes know"
        return [*found, _PART.doubtful("runs", said, "run this where they run, too")], False
    return [*found, *await _examine_api(api, standing)], True


async def _readiness(there: Running) -> Remark:
    try:
        async with running.calling(there, _PATIENCE) as client:
            answer = await client.get("/api/ready")
    except httpx2.HTTPError as error:
        said = f"{there.url} does not answer: {error or type(error).__name__}"
        return _PART.wrong("answers", said, "look at its log; start it anew if it hangs")
    if answer.is_success:
        return _PART.right("answers", f"{there.url} is ready")
    said = f"{there.url} is not ready: {answer.text[:200]}"
    return _PART.wrong("answers", said, "the parts below that are wrong keep it from it")


async def _examine_api(api: Running, standing: Standing | None) -> Sequence[Remark]:
    before = now_ms()
    try:
        now = await _condition(api)
    except (httpx2.HTTPError, msgspec.MsgspecError) as error:
        said = f"it does not tell how far the store is: {error or type(error).__name__}"
        return [_STORE.wrong("reached", said, "look at the log of the service")]
    found = [_STORE.right("reached", "the service reaches it"), _schema(now)]
    found.append(compare(_PART, now.clock, before, now_ms()))
    if now.message_time > now_ms():
        said = "the newest stored message is of a time to come: this clock was set back"
        found.append(_WRITER.doubtful("clock", said, "see that the clock follows a time server"))
    if standing:
        found.append(await _lag(api, now, standing.last_sequence))
    return found


def _schema(now: Condition) -> Remark:
    if now.due:
        said = f"its schema lacks {', '.join(now.due)}"
        return _STORE.wrong("schema", said, "run `headrace migrate`, or start the service anew")
    return _STORE.right("schema", "as this program wants it")


async def _lag(api: Running, now: Condition, last: int) -> Remark:
    """Whether the store reaches, or at least goes towards, what the stream had at first."""
    first, loop = now.sequence, asyncio.get_running_loop()
    deadline = loop.time() + _CATCHING_UP
    while now.sequence < last and loop.time() < deadline:
        await asyncio.sleep(_LOOK_AGAIN)
        try:
            now = await _condition(api)
        except httpx2.HTTPError:
            break
    return judge_lag(first, now.sequence, last)


def judge_lag(first: int, now: int, last: int) -> Remark:
    """What it means that the store was at `first`, and then at `now`, of a stream up to `last`."""
    behind = max(0, last - now)
    if not behind:
        return _WRITER.right("lag", "the store has what the stream had")
    said = f"{behind} messages behind the stream"
    if now > first:
        return _WRITER.doubtful("lag", f"{said}, and catching up", "ask again in a minute")
    return _WRITER.wrong("lag", f"{said}, and not moving", _STANDS)


_STANDS = (
    "look for `writer.failed` in the log of the process that writes, and start `headrace work` "
    "if none runs"
)


async def _condition(api: Running) -> Condition:
    async with running.calling(api, _PATIENCE) as client:
        return await condition_in(client)
