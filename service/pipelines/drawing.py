"""From frames of the bus to records for a target, and reasons for those that are none.

A pure function of the frame and the subscription's configuration: each try gives the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from service.pipelines.bus import Carried
from service.pipelines.mapper import Failed, Mapped, Mapper
from service.pipelines.model import Outgoing, Place, Refused, SubscriptionConfig
from service.pipelines.transforms import Transforms


@dataclass(frozen=True, slots=True)
class Drawn:
    """The records of a frame in their order, and the messages that gave none."""

    outgoing: Sequence[Outgoing]
    refused: Sequence[Refused]


class Drawing:
    """A compiled subscription: its transforms, then its columns (without any, whole messages)."""

    def __init__(self, subscription: SubscriptionConfig) -> None:
        """Raises InvalidInput, naming what is wrong with the configuration."""
        self._id = subscription.id
        self._transforms = Transforms(subscription.transforms)
        self._mapper = Mapper(subscription.columns) if subscription.columns else None
        self.primary_key = self._mapper.primary_key if self._mapper else []

    def draw(self, carried: Carried) -> Drawn:
        """What the subscription's target is given of a frame."""
        if carried.frame.only not in ("", self._id):
            return Drawn([], [])
        changed = self._transforms.apply([one.value for one in carried.frame.messages])
        mapped = self._mapped(changed.values)
        sequence, numbers = carried.sequence, changed.origins
        missed = [(numbers[one.index], _reason(one)) for one in mapped.failed]
        refused = sorted([*changed.failed, *missed])
        return Drawn(
            self._outgoing(carried, mapped, numbers),
            [Refused(Place(sequence, number), reason) for number, reason in refused],
        )

    def _mapped(self, values: Sequence[Any]) -> Mapped:
        if self._mapper:
            return self._mapper.map(values)
        return Mapped(values, [], range(len(values)))

    def _outgoing(
        self, carried: Carried, mapped: Mapped, numbers: Sequence[int]
    ) -> Sequence[Outgoing]:
        messages, sequence, time = carried.frame.messages, carried.sequence, carried.time
        keys = self.primary_key
        records = zip(mapped.origins, mapped.records, strict=True)
        if len(mapped.records) == len(messages) and mapped.origins == range(len(messages)):
            return [
                Outgoing(Place(sequence, n), record, keys, one.time or time, one.key)
                for n, (record, one) in enumerate(zip(mapped.records, messages, strict=True))
            ]
        return [
            Outgoing(Place(sequence, number, part), record, keys, one.time or time, one.key)
            for origin, group in groupby(records, key=lambda pair: pair[0])
            for number, one in [(numbers[origin], messages[numbers[origin]])]
            for part, (_, record) in enumerate(group)
        ]


def _reason(failed: Failed) -> str:
    return "; ".join(
        f"{miss.key}: {miss.reason}" if miss.key else miss.reason for miss in failed.misses
    )
