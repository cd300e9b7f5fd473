"""A process that puts events into a producer with a spool, and says which, until it is killed.

python -m tests.chaos.putting URL KEY SPOOL NAME FSYNC
"""

import asyncio
import itertools
import os
import sys
from datetime import UTC, datetime

from headrace import Client, ClientOptions, Event, Producer, ProducerOptions


async def put(url: str, key: str, spool: str, name: str, fsync: str) -> None:
    options = ProducerOptions(spool=spool, fsync=fsync, batch=40, linger=0.01)  # type: ignore[arg-type]
    async with (
        Client(url, key, ClientOptions(patience=5)) as client,
        Producer(client, options) as producer,
    ):
        for number in itertools.count():
            await producer.put(an_event(f"{name}-{number}"))
            os.write(1, f"{name}-{number}\n".encode())
            if number % 25 == 0:
                await asyncio.sleep(0.005)


def an_event(event_id: str) -> Event:
    moment = datetime.now(UTC)
    return Event(
        event_type="put", user_id="ada", session_id="s1", timestamp=moment, event_id=event_id
    )


if __name__ == "__main__":
    asyncio.run(put(*sys.argv[1:]))
