"""A line to Redis or Valkey that costs little when nobody is at the other end.

* A call is given little time. The first one that fails closes the line, so that nobody waits for a
  server that is away; a probe opens it again, one a second.
* A call that is cancelled or late takes its connection with it: no answer is left in it for the
  next caller.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.telemetry import log, shared_failures

PROBE_PAUSE = 1.0
_SHORT_PAUSE = 0.2
"""Seconds before the first probe: a call may also be late because this process is busy."""
_PROBE_PATIENCE = 0.5


class Line:
    """Calls of one server. `purpose` is told in the log, `patience` is seconds for a call.

    At most `most_calls` are under way at once; more are not answered.
    """

    def __init__(self, url: str, purpose: str, patience: float, most_calls: int = 64) -> None:
        pool = ConnectionPool.from_url(
            url,
            max_connections=most_calls + 1,
            socket_timeout=max(patience, _PROBE_PATIENCE),
            socket_connect_timeout=max(patience, _PROBE_PATIENCE),
            retry=Retry(NoBackoff(), 0),
            client_name="headrace",
        )
        self._redis: Redis = Redis(connection_pool=pool)
        self._purpose = purpose
        self._patience = patience
        self._most_calls = most_calls
        self._calls = 0
        self._probing: asyncio.Task[None] | None = None

    async def ask(self, *commands: Sequence[Any]) -> list[Any] | None:
        """The answers in one round trip; None when there are none to be had.

        What the server refuses is an exception among the answers.
        """
        if self._probing or self._calls >= self._most_calls:
            return None
        self._calls += 1
        try:
            async with (
                asyncio.timeout(self._patience),
                self._redis.pipeline(transaction=False) as pipeline,
            ):
                for command in commands:
                    pipeline.execute_command(*command)
                return await pipeline.execute(raise_on_error=False)
        except Exception:  # whatever it says, it must not become anybody's error
            self._hang_up()
            return None
        finally:
            self._calls -= 1

    async def ping(self) -> None:
        """Return when the server answers; raises ConnectionError when it does not."""
        try:
            async with asyncio.timeout(_PROBE_PATIENCE):
                if await self._redis.ping() is not True:
                    raise ConnectionError("it talks nonsense")
        except Exception as error:
            raise ConnectionError(f"Redis does not answer: {_told(error)}") from error

    async def close(self) -> None:
        if self._probing:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    def _hang_up(self) -> None:
        shared_failures.inc()
        if not self._probing:
            self._probing = asyncio.create_task(self._probe(), context=Context())

    async def _probe(self) -> None:
        """Open the line again once it answers; connections made before are dropped."""
        away = False
        while True:
            with suppress(Exception):
                await self._redis.connection_pool.disconnect(inuse_connections=False)
            await asyncio.sleep(PROBE_PAUSE if away else _SHORT_PAUSE)
            try:
                await self.ping()
                break
            except ConnectionError as error:
                if not away:
                    log().warning(
                        "shared.away",
                        purpose=self._purpose,
                        reason=str(error),
                        advice="each process does alone",
                    )
                away = True
        self._probing = None
        if away:
            log().info("shared.back", purpose=self._purpose)


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
