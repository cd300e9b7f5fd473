"""What the door says of repeats: a hint for the caller, recorded after the acknowledgement.

Counts never depend on it: every event is published, and the writer judges.
"""

import numpy as np
from numpy.typing import NDArray

from service.near_net import Keys, NearNet

REMEMBERED = 250_000
"""Enough for what is on its way to the near net; few enough to stay in the processor's cache."""


class Hints:
    """Ids acknowledged lately by this process, and those in the writer's near net beside it."""

    def __init__(self, near_net: NearNet | None = None) -> None:
        self._own = NearNet(REMEMBERED)
        self._near_net = near_net

    def seen(self, keys: Keys) -> NDArray[np.bool_]:
        """For each key, whether its event was acknowledged before, as far as is known here."""
        seen: NDArray[np.bool_] = self._own.find(keys) != 0
        if self._near_net:
            unknown = np.flatnonzero(~seen)
            seen[unknown] = self._near_net.find(keys[unknown]) != 0
        return seen

    def record(self, keys: Keys) -> None:
        """Remember keys, not seen before, whose events were acknowledged."""
        if len(keys):
            anywhere, whenever = np.ones(len(keys), np.uint64), np.zeros(len(keys), np.int64)
            self._own.add(keys, anywhere, whenever)
