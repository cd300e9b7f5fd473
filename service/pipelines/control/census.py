"""All pipelines of an installation, counted when somebody asks: by state, and their dead letters.

It is counted at the door: workers that are gone tell nobody what they do not carry.
"""

from collections.abc import Mapping
from typing import get_args

from sqlalchemy import func, select

from service.database import Database, heard
from service.pipelines.bus import Broker
from service.pipelines.control.tables import pipelines
from service.pipelines.model import State
from service.pipelines.refusals import EVERY_REFUSED
from service.telemetry import pipeline_dead_letters_kept
from service.telemetry import pipelines as pipelines_by_state


class Census:
    """Sets the gauges of all pipelines."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker

    async def measure(self) -> None:
        """Raises AccountsUnavailable and ConnectionError; what was set last then stands."""
        found = await self._states()
        for state in get_args(State):
            pipelines_by_state.labels(state).set(found.get(state, 0))
        pipeline_dead_letters_kept.set(await self._broker.entries(EVERY_REFUSED))

    async def _states(self) -> Mapping[str, int]:
        asked = select(pipelines.c.state, func.count()).group_by(pipelines.c.state)
        with heard():
            async with self._database.reading() as connection:
                return dict((await connection.execute(asked)).tuples().all())
