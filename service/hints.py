"""What the door says of repeats: a hint for the caller, recorded after the acknowledgement.

Counts never depend on it: every event is published, and the writer judges.
"""

import asyncio

import numpy as np
from numpy.typing import NDArray

from service.near_net import Keys, NearNet
from service.shared.protocol import Shared

REMEMBERED = 200_000
"""Ids acknowledged last that are remembered here, until the writer's near net has them."""


class Hints:
    """Ids acknowledged lately by this process, and those in the writer's near net beside it.

    With a memory that processes share, those that the others acknowledged are asked for too.
    """

    def __init__(
        self,
        near_net: NearNet | None = None,
        remembered: int = REMEMBERED,
        shared: Shared | None = None,
    ) -> None:
        self._near_net = near_net
        self._shared = shared
        self._telling: set[asyncio.Task[None]] = set()
        self._remembered = remembered
        self._latest: set[int] = set()
        self._former: set[int] = set()

    def seen(self, keys: Keys) -> NDArray[np.bool_]:
        """For each key, whether its event was acknowledged before, as far as is known here."""
        latest, former = self._latest, self._former
        seen = np.array([k in latest or k in former for k in keys.tolist()], bool)
        if self._near_net:
            unknown = np.flatnonzero(~seen)
            seen[unknown] = self._near_net.find(keys[unknown]) != 0
        return seen

    def ask_others(self, keys: Keys) -> asyncio.Task[NDArray[np.bool_]] | None:
        """The same by what other processes recorded, under way; None where there are none."""
        return asyncio.create_task(self._shared.seen(keys)) if self._shared else None

    def record(self, keys: Keys) -> None:
        """Remember keys whose events were acknowledged."""
        if self._shared and len(keys):
            telling = asyncio.create_task(self._shared.record(keys))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)
        self._latest.update(keys.tolist())
        if len(self._latest) > self._remembered:
            self._former, self._latest = self._latest, set()
