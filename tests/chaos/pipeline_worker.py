"""A worker of pipelines as a process, to be killed: `python -m tests.chaos.pipeline_worker`."""

import asyncio
import os
import sys

import msgspec

from service import crash
from service.pipelines.model import Assignment
from service.stream.jetstream import open_jetstream
from tests.piping import Board, carrying, parts_of


async def main(url: str, assignments: str) -> None:
    """Carry these pipelines until killed."""
    crash.arm(os.environ.get("HEADRACE_CRASH_AT", ""))
    stream = await open_jetstream(url, 1 << 28, 120)
    board = Board(*msgspec.json.decode(assignments, type=list[Assignment]))
    async with carrying(stream, await parts_of(stream, board, f"w{os.getpid()}")):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
