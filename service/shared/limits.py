"""Limits that all processes of a service count together, on Redis or Valkey.

Each use is one script, which the server carries out alone, by its own clock. While it is away every
process counts by itself, from what it let through so far; then more may pass, at most the limit a
process.
"""

import asyncio
from hashlib import blake2b, sha1
from typing import Any

from redis.exceptions import NoScriptError

from service.limits import Limit, LocalLimits, Standing, too_often
from service.shared.line import Line
from service.telemetry import limits_alone, log

PATIENCE = 0.5
"""Seconds that a use may take to be counted; after that this process counts it."""
_MOST_CALLS = 16
"""Calls under way at once; more wait for their turn."""

# What `LocalLimits` does, in microseconds. The sums are kept as (first, last, worth), one after the
# other. Those that lie in the future are none: somebody turned the clock back.
_TAKE = b"""
local times, window, part, cost = unpack(ARGV)
times, window, part, cost = tonumber(times), tonumber(window), tonumber(part), tonumber(cost)
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local sums, total = {}, 0
local kept = redis.call('GET', KEYS[1])
if kept then
  local all = cmsgpack.unpack(kept)
  for i = 1, #all, 3 do
    if all[i] <= now and all[i + 1] + window > now then
      sums[#sums + 1], sums[#sums + 2], sums[#sums + 3] = all[i], all[i + 1], all[i + 2]
      total = total + all[i + 2]
    end
  end
end

local over, wait = total + cost - times, 0
for i = 1, #sums, 3 do
  if over <= 0 then break end
  over = over - sums[i + 2]
  wait = sums[i + 1] + window - now
end
if wait > 0 then return {0, math.max(0, times - total), wait} end

local n = #sums
if n > 0 and now < sums[n - 2] + part then
  sums[n - 1], sums[n] = now, sums[n] + cost
else
  sums[n + 1], sums[n + 2], sums[n + 3] = now, now, cost
end
redis.call('SET', KEYS[1], cmsgpack.pack(sums), 'PX', math.ceil(window / 1000))
return {1, times - total - cost, sums[2] + window - now}
"""
_TAKE_NAME = sha1(_TAKE, usedforsecurity=False).hexdigest().encode()


class SharedLimits:
    """A `Limits` on one server; `secret` is the service's own.

    Who is counted cannot be read there. `local` counts while nobody answers within `patience`.
    """

    def __init__(
        self, url: str, secret: bytes, local: LocalLimits, patience: float = PATIENCE
    ) -> None:
        self._line = Line(url, "limits", patience, _MOST_CALLS)
        self._room = asyncio.Semaphore(_MOST_CALLS)
        self._secret = secret[:64]
        self._prefix = b"headrace:" + blake2b(secret, digest_size=8).hexdigest().encode() + b":"
        self._local = local
        self._alone = False

    async def take(self, limit: Limit, of: str, cost: int = 1) -> Standing:
        match await self._count(limit, of, cost):
            case [1, int(left), int(more_in)]:
                self._local.note(limit, of, cost)
                self._tell(alone=False)
                return Standing(left, more_in / 1e6)
            case [0, int(left), int(wait)]:
                self._tell(alone=False)
                raise too_often(limit, wait / 1e6, left)
            case other:
                limits_alone.inc()
                self._tell(alone=True, reason=str(other or "no answer"))
                return await self._local.take(limit, of, cost)

    async def close(self) -> None:
        await self._line.close()

    async def _count(self, limit: Limit, of: str, cost: int) -> Any:
        times = (limit.times, _micros(limit.seconds), _micros(limit.part), cost)
        call = (1, self._name(limit, of), *times)
        async with self._room:
            answer = await self._ask("EVALSHA", _TAKE_NAME, *call)
            if isinstance(answer, NoScriptError):
                answer = await self._ask("EVAL", _TAKE, *call)
        return answer

    async def _ask(self, *command: Any) -> Any:
        answers = await self._line.ask(command)
        return answers and answers[0]

    def _name(self, limit: Limit, of: str) -> bytes:
        name = blake2b(f"{limit.name}\0{of}".encode(), key=self._secret, digest_size=16)
        return self._prefix + b"limit:" + name.hexdigest().encode()

    def _tell(self, alone: bool, reason: str = "") -> None:
        """Say it once, when it begins and when it ends."""
        if alone and not self._alone:
            log().warning("limits.alone", reason=reason, advice="each process counts by itself")
        if self._alone and not alone:
            log().info("limits.together")
        self._alone = alone


def _micros(seconds: float) -> int:
    return int(seconds * 1_000_000)
