"""How far each subscription is: kept on the broker, moved by compare-and-set.

A worker that was taken over meets the one that did, and stops. An operator who turns a
subscription back is met in the same way, and followed.
"""

from contextlib import suppress

import msgspec

from service.errors import StoreFenced
from service.pipelines.bus import Broker
from service.pipelines.model import Place
from service.stream.bucket import Bucket, Moved

BUCKET = "HEADRACE_POSITIONS"
OPERATOR = "operator"
_BEGUN = "_begun"
_ATTEMPTS = 20


class Position(msgspec.Struct, frozen=True):
    """Everything up to `sequence` is done, and of the next frame what is up to `inside`."""

    sequence: int
    inside: tuple[int, int] | None = None
    """The message and the part of the last record that is done."""
    turned: int = 0
    """How often an operator turned it back or forth."""
    writer: str = ""

    def covers(self, place: Place) -> bool:
        """Whether the record at this place is done."""
        if place.sequence <= self.sequence or self.inside is None:
            return place.sequence <= self.sequence
        return place.sequence == self.sequence + 1 and place[1:] <= self.inside

    def at(self, place: Place) -> "Position":
        """The position with everything up to this place done."""
        inside = (place.message, place.part)
        return msgspec.structs.replace(self, sequence=place.sequence - 1, inside=inside)

    def after(self, sequence: int) -> "Position":
        """The position with this frame and all before it done."""
        return msgspec.structs.replace(self, sequence=sequence, inside=None)


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Position).decode


class Turned(Exception):
    """An operator moved the position."""


class Mark:
    """The position of one subscription as one worker moves it."""

    def __init__(self, bucket: Bucket, key: str, writer: str) -> None:
        self._bucket = bucket
        self._key = key
        self._writer = writer
        self._revision = 0
        self.position = Position(0)

    async def load(self) -> Position | None:
        """Read where it stands; None when the subscription is new."""
        value, self._revision = await self._bucket.get(self._key)
        if not value:
            return None
        self.position = _decode(value)
        return self.position

    async def move(self, position: Position) -> None:
        """Write down how far it is.

        Raises Turned when an operator moved it, StoreFenced when another worker did, and
        ConnectionError when it is unknown whether it was written.
        """
        mine = msgspec.structs.replace(position, writer=self._writer)
        try:
            self._revision = await self._bucket.put(self._key, _encode(mine), self._revision)
        except Moved:
            await self._meet(mine)
        self.position = mine

    async def _meet(self, mine: Position) -> None:
        found = await self.load()
        if found is None or found.writer not in (OPERATOR, self._writer):
            raise StoreFenced("another worker has moved the position") from None
        if found.turned != mine.turned:
            raise Turned
        if found != mine:  # one of our own tries was kept although no answer came
            self._revision = await self._bucket.put(self._key, _encode(mine), self._revision)


class Positions:
    """The positions of all subscriptions."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @classmethod
    async def on(cls, broker: Broker) -> "Positions":
        return cls(await broker.bucket(BUCKET))

    def mark(self, pipeline_id: str, subscription_id: str, writer: str) -> Mark:
        """The position of a subscription, to be moved by this worker."""
        return Mark(self._bucket, _key(pipeline_id, subscription_id), writer)

    async def turn(self, pipeline_id: str, subscription_id: str, sequence: int) -> None:
        """Have the subscription go on after this frame, wherever it is now; a worker that carries
        it follows. Raises StoreFenced when it moves too fast to be met.
        """
        key = _key(pipeline_id, subscription_id)
        for _ in range(_ATTEMPTS):
            value, revision = await self._bucket.get(key)
            turned = _decode(value).turned + 1 if value else 1
            try:
                new = Position(sequence, turned=turned, writer=OPERATOR)
                await self._bucket.put(key, _encode(new), revision)
                return
            except Moved:
                continue
        raise StoreFenced("the position moves too fast to be turned; try again")

    async def have_begun(self, pipeline_id: str) -> bool:
        """Whether the pipeline has carried anything yet."""
        value, _ = await self._bucket.get(_key(pipeline_id, _BEGUN))
        return value is not None

    async def note_begun(self, pipeline_id: str) -> None:
        """From now on a new subscription of the pipeline is one that came later."""
        with suppress(Moved):
            await self._bucket.put(_key(pipeline_id, _BEGUN), b"begun", 0)

    async def forget(self, pipeline_id: str) -> None:
        """Take the positions of a pipeline away."""
        await self._bucket.forget(f"{pipeline_id}.>")


def _key(pipeline_id: str, subscription_id: str) -> str:
    return f"{pipeline_id}.{subscription_id}"
