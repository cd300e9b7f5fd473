"""What a memory that several processes share must do. Nothing that counts depends on it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that some process put there, and for how long it still stays, in seconds."""

    text: bytes
    left: float


class Shared(Protocol):
    """Texts and ids that any process of this service put there lately.

    It fails open: when the memory is away, slow or talks nonsense, nothing is found, nothing is
    kept, every claim is granted, and no method raises but `ping`. What is found was put there by
    this service under that very key.
    """

    async def get(self, key: bytes) -> Kept | None:
        """The text under `key`."""
        ...

    async def put(self, key: bytes, text: bytes, seconds: float) -> None:
        """Keep a text for a while."""
        ...

    async def claim(self, key: bytes, seconds: float) -> bool:
        """Whether the caller is the one to work on `key`; others are not until it lets go."""
        ...

    async def release(self, key: bytes) -> None:
        """Let go of a claim of one's own."""
        ...

    async def seen(self, ids: Keys) -> NDArray[np.bool_]:
        """For each id, whether some process recorded it lately."""
        ...

    async def record(self, ids: Keys) -> None:
        """Remember ids, for as long as there is room."""
        ...

    async def ping(self) -> None:
        """Return when the memory answers; raises OSError when it does not."""
        ...

    async def close(self) -> None: ...
