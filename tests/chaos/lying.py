"""A Redis that lies: what it was given under one key it tells under another, or rubbish."""

import random

from redis.asyncio import Redis
from redis.exceptions import ResponseError


async def lie(url: str, dice: random.Random) -> int:
    """Change every text that is there; how many there were."""
    async with Redis.from_url(url) as redis:
        keys = [key async for key in redis.scan_iter()]
        told = 0
        for key in keys:
            try:
                other = await redis.get(dice.choice(keys))
            except ResponseError:  # no text: a set, a sorted set
                other = None
            rubbish = dice.randbytes(dice.randrange(200))
            if await redis.type(key) == b"string":
                value = other if other and dice.random() < 0.5 else rubbish
                told += bool(await redis.set(key, value, keepttl=True))
        return told
