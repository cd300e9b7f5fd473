"""Logs of pipelines and of the pipelines of a connector: recent ones, or live over a WebSocket.

Asked for with a GET they are a list; a WebSocket of the same address gets each line as a message.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, json_answer
from service.api.control.belongings import Belongings
from service.api.control.entrance import Entrance
from service.api.control.said import WRONG
from service.api.guards import WORKS_IN_TEAM
from service.api.log_lines import Ear, LineDocument, line_document, lines_asked, tell_line
from service.api.openapi import document, read, text_parameter
from service.api.streams import Stream
from service.pipelines.control.reach import Reach
from service.pipelines.control.states import States
from service.pipelines.insight import MOST_LINES, Insight
from service.settings import Settings


class LogRoutes:
    """Logs."""

    def __init__(
        self, entrance: Entrance, insight: Insight, states: States, settings: Settings
    ) -> None:
        self._entrance = entrance
        self._insight = insight
        self._states = states
        self._settings = settings

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/pipelines/{pipeline_id:str}/logs", self.of_pipeline, _PIPELINE),
            *read("/api/connectors/{connector_id:str}/logs", self.of_connector, _CONNECTOR),
        ]

    async def of_pipeline(self, request: Request[Any, Any, Any]) -> Answer:
        """The log of a pipeline.

        The newest lines, oldest first; over a WebSocket these, and each that comes.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        return await self._told(request, reach, [request.scope["path_params"]["pipeline_id"]])

    async def of_connector(self, request: Request[Any, Any, Any]) -> Answer:
        """The logs of all pipelines that use a connector.

        As of one pipeline; the lines of each in their order.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        connector_id = request.scope["path_params"]["connector_id"]
        return await self._told(request, reach, await self._states.using(reach, connector_id))

    async def _told(
        self, request: Request[Any, Any, Any], reach: Reach, pipelines: Sequence[str]
    ) -> Answer:
        most = lines_asked(request.scope)
        found = [(one, await self._insight.logs(reach, one, most=most)) for one in pipelines]
        lines = [line_document(one, *line) for one, some in found for line in some]
        lines.sort(key=lambda line: line.time)
        kind: str = request.scope["type"]
        if kind != "websocket":
            return json_answer(200, lines[-most:])
        places = [some[-1][0] if some else 0 for _, some in found]
        ear = Ear(self._reader(reach, pipelines), places, lines[-most:])
        settings = self._settings
        return Stream(ear, tell_line, _nothing, settings.live_heartbeat, settings.live_stall)

    def _reader(self, reach: Reach, pipelines: Sequence[str]) -> Any:
        async def read(places: Sequence[int]) -> tuple[list[int], list[LineDocument]]:
            now = await self._entrance.still(reach, WORKS_IN_TEAM)
            after, lines = list(places), list[LineDocument]()
            for at, one in enumerate(pipelines):
                found = await self._insight.logs(now, one, places[at])
                lines += [line_document(one, *line) for line in found]
                after[at] = found[-1][0] if found else places[at]
            return after, lines

        return read


def _nothing() -> None:
    """Nobody else waits for the end of a log."""


_LINES = document(200, list[LineDocument], "The lines.")
_LIMIT = text_parameter("limit", f"How many lines at most, 1 to {MOST_LINES}; 100 without.")
_PIPELINE, _CONNECTOR = (
    Belongings(kind).find(_LINES, WRONG, parameters=[_LIMIT], socket=True)
    for kind in ("pipeline", "connector")
)
