"""A process that takes uses of a shared limit, many at once, and prints how many passed.

python -m tests.contracts.takers URL TIMES TAKES
"""

import asyncio
import sys

from service.errors import RateLimited
from service.limits import Limit, Limits, LocalLimits
from service.shared.limits import SharedLimits

PATIENCE = 20
"""Seconds: a slow machine must not make a process count alone."""


async def passed(limits: Limits, limit: Limit, takes: int) -> int:
    """How many of so many uses at once pass."""
    results = await asyncio.gather(
        *(limits.take(limit, "ada") for _ in range(takes)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, RateLimited)]
    assert all(refusal.retry_after > 0 for refusal in refused)
    return takes - len(refused)


async def main(url: str, times: int, takes: int) -> None:
    limits = SharedLimits(url, b"secret", LocalLimits(), PATIENCE)
    sys.stdout.write(str(await passed(limits, Limit("often", times, 60), takes)))
    await limits.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
