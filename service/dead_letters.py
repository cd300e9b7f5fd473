"""Messages that could not be read: looked at, sent again, or let go."""

from collections.abc import Sequence

from service.errors import NotFound
from service.stream.protocol import DeadLetter, Stream

MOST_LISTED = 1000
_PUBLISH_TIMEOUT = 10.0


async def find(stream: Stream, number: int, tenant: str | None = None) -> DeadLetter:
    """The dead letter of this number, of a tenant's own if one is named; raises NotFound."""
    for letter in await stream.dead_letters(number - 1, 1, tenant):
        if letter.sequence == number:
            return letter
    raise NotFound(f"there is no dead letter {number}")


async def replay(stream: Stream, number: int, tenant: str | None = None) -> int:
    """Put a dead letter on the stream again, as a new message; its sequence there.

    If it still cannot be read it becomes a dead letter once more, under a new number.
    """
    letter = await find(stream, number, tenant)
    name = f"replay-{letter.origin}-{letter.sequence}"
    receipt = await stream.publish(letter.tenant, name, letter.body, _PUBLISH_TIMEOUT)
    await stream.discard_dead_letter(number)
    return receipt.sequence


async def discard(stream: Stream, number: int, tenant: str | None = None) -> None:
    """Forget a dead letter for good; raises NotFound."""
    await find(stream, number, tenant)
    await stream.discard_dead_letter(number)


async def listed(stream: Stream) -> Sequence[DeadLetter]:
    """The oldest dead letters, at most `MOST_LISTED`."""
    return await stream.dead_letters(0, MOST_LISTED)
