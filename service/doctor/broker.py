"""The stream: whether it answers, keeps what it acknowledges, and has room."""

from collections.abc import Iterator

import httpx2

from service.bootstrap.looking import embedded_stream_syncs, stream_url
from service.doctor.clocks import compare
from service.doctor.place import examine_room, size
from service.doctor.remark import Part, Remark
from service.events import now_ms
from service.settings import Settings
from service.stream.standing import Standing, look

STREAM = Part("stream")
_PATIENCE = 5.0
_HEADROOM = 1024 * 1024
_ADVICE_ON_SYNC = "set jetstream { sync_interval: always } on every NATS server, and reload it"
_NEARLY_FULL, _FULL = 0.8, 0.95


async def examine_stream(
    settings: Settings, monitoring: str = ""
) -> tuple[list[Remark], Standing | None]:
    """The remarks, and how the broker stands if it answers.

    `monitoring` is the URL of a NATS server's monitoring port, to be asked how it syncs.
    """
    url = stream_url(settings)
    if not url:
        said, advice = "the embedded broker never ran here", "start the service: `headrace up`"
        return [STREAM.wrong("reached", said, advice)], None
    before = now_ms()
    try:
        standing = await look(url, _PATIENCE)
    except ConnectionError as error:
        return [
            STREAM.wrong("reached", f"no answer from {_place(url)}: {error}", _away(settings))
        ], None
    found = [STREAM.right("reached", f"NATS {standing.version} at {_place(url)} answers")]
    found.append(compare(STREAM, standing.clock, before, now_ms()))
    found.append(await _sync(settings, monitoring))
    found += _limits(settings, standing)
    return found, standing


def _place(url: str) -> str:
    return ", ".join(server.rpartition("@")[2].rpartition("//")[2] for server in url.split(","))


def _away(settings: Settings) -> str:
    if settings.nats_url:
        return "start it, or correct NATS_URL: events are answered 503 until it is there"
    return "it runs while the service runs: `headrace up`"


async def _sync(settings: Settings, monitoring: str) -> Remark:
    """Whether a message is on the disk before it is acknowledged."""
    synced = await _synced(settings, monitoring)
    if synced is None:
        said = "not known how that server syncs: it does not tell its clients"
        advice = (
            f"ask its monitoring port (--nats-monitoring http://host:8222), or {_ADVICE_ON_SYNC}"
        )
        return STREAM.doubtful("sync", said, advice)
    if synced:
        return STREAM.right("sync", "every message is on the disk before it is acknowledged")
    said = "messages are acknowledged before they are on the disk: a power cut loses some"
    return STREAM.wrong("sync", said, _ADVICE_ON_SYNC)


async def _synced(settings: Settings, monitoring: str) -> bool | None:
    """None where nobody tells."""
    if not settings.nats_url:
        return embedded_stream_syncs(settings)
    if not monitoring:
        return None
    try:
        async with httpx2.AsyncClient(timeout=_PATIENCE) as client:
            told = (await client.get(f"{monitoring.rstrip('/')}/varz")).json()
        return bool(told["jetstream"]["config"].get("sync_always", False))
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        return None


def _limits(settings: Settings, standing: Standing) -> Iterator[Remark]:
    yield _fill(standing)
    if not settings.nats_url:
        yield examine_room(settings.data_dir, standing.bytes, standing.max_bytes)
    if standing.behind:
        said = f"{standing.behind} of {standing.replicas} copies are away or behind"
        yield STREAM.wrong("copies", said, "start those servers; no more may be lost meanwhile")
    elif standing.replicas > 1:
        yield STREAM.right("copies", f"{standing.replicas}, all of them current")
    if standing.max_payload < settings.max_body_bytes + _HEADROOM:
        said = f"the broker takes {size(standing.max_payload)} at once, bodies may be larger"
        yield STREAM.doubtful("message size", said, "raise max_payload there: 32 MB")
    if standing.duplicate_window < settings.duplicate_window:
        said = f"it knows repeats for {standing.duplicate_window:g} s only"
        yield STREAM.doubtful("repeats", said, "start the service anew: it sets what is configured")
    yield _letters(standing.dead_letters)


def _fill(standing: Standing) -> Remark:
    share = standing.bytes / standing.max_bytes if standing.max_bytes > 0 else 0.0
    said = f"{size(standing.bytes)} of {size(standing.max_bytes)} ({share:.0%}) are taken"
    advice = "see why the writer is behind, or raise HEADRACE_STREAM_MAX_BYTES"
    if share >= _FULL:
        return STREAM.wrong("room", f"{said}: soon events are answered 503", advice)
    if share >= _NEARLY_FULL:
        return STREAM.doubtful("room", said, advice)
    return STREAM.right("room", said)


def _letters(count: int) -> Remark:
    if count:
        said = f"{count} messages could not be read and were put aside"
        return STREAM.doubtful("dead letters", said, "look at `headrace dead-letters list`")
    return STREAM.right("dead letters", "none")
