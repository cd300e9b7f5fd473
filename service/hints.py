"""What the door says of repeats: a hint for the caller, recorded after the acknowledgement.

Counts never depend on it: every event is published, and the writer judges.
"""

import numpy as np
from numpy.typing import NDArray

from service.near_net import Keys, NearNet

REMEMBERED = 200_000
"""Ids acknowledged last that are remembered here, until the writer's near net has them."""


class Hints:
    """Ids acknowledged lately by this process, and those in the writer's near net beside it."""

    def __init__(self, near_net: NearNet | None = None, remembered: int = REMEMBERED) -> None:
        self._near_net = near_net
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

    def record(self, keys: Keys) -> None:
        """Remember keys whose events were acknowledged."""
        self._latest.update(keys.tolist())
        if len(self._latest) > self._remembered:
            self._former, self._latest = self._latest, set()
