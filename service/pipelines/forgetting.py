"""What the broker holds of a pipeline that was deleted is taken away."""

from service.pipelines.bus import Broker, open_bus
from service.pipelines.positions import Positions
from service.pipelines.refusals import open_refusals
from service.pipelines.telling import FigureBook

_ANY = 1 << 20
"""Bytes: what is made only to be taken away has no need of more."""


async def forget(broker: Broker, pipeline_id: str) -> None:
    """Its bus, its dead letters, where it stood and its figures. Its log goes by itself in a week.

    May be done twice. Raises ConnectionError.
    """
    await (await open_bus(broker, pipeline_id, _ANY)).delete()
    await (await open_refusals(broker, pipeline_id, _ANY)).delete()
    await (await Positions.on(broker)).forget(pipeline_id)
    await (await FigureBook.on(broker)).forget(pipeline_id)
