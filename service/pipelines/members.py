"""The workers that carry pipelines, and which of them each pipeline belongs to.

Every worker says once a second that it is there. A pipeline belongs to the one that draws the
highest digest with it (rendezvous hashing), so that a worker that comes or goes moves only its
own. Two that disagree for a moment are kept apart by the pipeline's lease.
"""

import asyncio
from collections.abc import Sequence

import xxhash

from service.stream.bucket import Bucket, Moved

BUCKET = "HEADRACE_PIPELINE_WORKERS"
SECONDS = 5.0
"""After which a worker that says nothing is taken for gone."""


class Members:
    """The workers as one of them sees them. Nobody's clock is compared with another's."""

    def __init__(self, bucket: Bucket, name: str, seconds: float = SECONDS) -> None:
        self._bucket = bucket
        self._name = name
        self._seconds = seconds
        self._revision = 0
        self._heard: dict[str, tuple[int, float]] = {}

    async def refresh(self) -> Sequence[str]:
        """Say that we are there; the names of those who are. Raises ConnectionError."""
        await self._say(b"here")
        now = asyncio.get_running_loop().time()
        heard = {}
        for key in await self._bucket.keys("worker"):
            value, revision = await self._bucket.get(key)
            before = self._heard.get(key, (0, now))
            heard[key] = before if before[0] == revision else (revision, now)
            if value == b"":
                del heard[key]
        self._heard = heard
        there = {
            k.removeprefix("worker.") for k, (_, at) in heard.items() if now - at < self._seconds
        }
        return sorted(there | {self._name})

    async def leave(self) -> None:
        """Say that we go, so that nobody waits for us."""
        await self._say(b"")

    async def _say(self, word: bytes) -> None:
        key = f"worker.{self._name}"
        try:
            self._revision = await self._bucket.put(key, word, self._revision)
        except Moved:
            _, self._revision = await self._bucket.get(key)


def owner_of(pipeline_id: str, members: Sequence[str]) -> str:
    """The worker that a pipeline belongs to: the same one whoever asks."""
    return max(members, key=lambda name: _drawn(pipeline_id, name))


def _drawn(pipeline_id: str, name: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{pipeline_id}\0{name}".encode())
