"""What is counted of every request: by face and kind of answer, and how long it took."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from service.api.faces import name_of
from service.telemetry import request_seconds, requests

_FIRST = 1
_KINDS = 5


class Meter:
    """The series of one face, looked up once: that costs more than counting."""

    def __init__(self, face: str) -> None:
        kinds = range(_FIRST, _FIRST + _KINDS)
        self._answers = [requests.labels(face, f"{kind}xx") for kind in kinds]
        self._seconds = request_seconds.labels(face)

    def note(self, status: int, began: float) -> None:
        """Count an answer to a request that came at `began` by `time.perf_counter`."""
        self._answers[status // 100 - _FIRST].inc()
        self._seconds.observe(time.perf_counter() - began)


class Meters:
    """A meter for each face; those of whole `paths` are found without looking at their parts."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._by_face: dict[str, Meter] = {}
        self._by_path: Mapping[str, Meter] = {path: self._of(path) for path in paths}

    def metered(self, path: str, send: Any) -> Any:
        """`send`, which counts the answer to a request for `path` when it begins."""
        began, meter = time.perf_counter(), self._by_path.get(path) or self._of(path)

        async def metered(message: Any) -> None:
            if message["type"] == "http.response.start":
                meter.note(message["status"], began)
            await send(message)

        return metered

    def _of(self, path: str) -> Meter:
        face = name_of(path)
        if face not in self._by_face:
            self._by_face[face] = Meter(face)
        return self._by_face[face]
