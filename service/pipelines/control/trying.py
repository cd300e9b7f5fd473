"""Connectors tried before they are made: whether one connects, what there is, what comes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from service.database import Database, heard
from service.errors import (
    ConnectorBroken,
    InvalidInput,
    NotFound,
    SourceUnavailable,
    TargetUnavailable,
)
from service.pipelines.connectors.protocol import Kind, Surroundings
from service.pipelines.connectors.registry import KINDS
from service.pipelines.control.connectors import connector_row
from service.pipelines.control.reach import Reach, environment_of
from service.pipelines.control.settings import check, told
from service.pipelines.control.vault import Vault
from service.pipelines.model import SourceMessage

MOST_MESSAGES = 100
_FAILURES = (ConnectorBroken, SourceUnavailable, TargetUnavailable)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tried:
    """A configuration to try: all of it, or what is otherwise in a connector that is there."""

    kind: Kind
    config: Mapping[str, Any]
    connector_id: str = ""
    """Of which the secrets are that are left out or masked."""


class Trying:
    """Connects to other systems, with what people have told. Raises InvalidInput, naming the field,
    and for what cannot be had there; NotFound and Forbidden for a connector that is not reached.
    """

    def __init__(self, database: Database, vault: Vault, around: Surroundings) -> None:
        """`around`: of every environment; `files` is the folder with a folder for each."""
        self._database = database
        self._vault = vault
        self._around = around

    async def verdict(self, reach: Reach, tried: Tried) -> str:
        """Connect; empty when all is well, else what is wrong."""
        config = await self._config(reach, tried)
        if tried.kind.check is None:
            return ""
        try:
            await tried.kind.check(config, await self._surroundings(reach))
        except _FAILURES as error:
            return str(error)
        return ""

    async def topics(self, reach: Reach, tried: Tried) -> Sequence[str]:
        """The names of what can be read or written there."""
        config, find = await self._config(reach, tried), tried.kind.topics
        if find is None:
            raise InvalidInput(f"{tried.kind.name} has no topics")
        around = await self._surroundings(reach)
        return await _had(lambda: find(config, around))

    async def messages(self, reach: Reach, tried: Tried, most: int) -> Sequence[SourceMessage]:
        """The newest messages, oldest first, at most `most`."""
        if not 1 <= most <= MOST_MESSAGES:
            raise InvalidInput(f"1 to {MOST_MESSAGES} messages", "limit")
        config, fetch = await self._config(reach, tried), tried.kind.fetch
        if fetch is None:
            raise InvalidInput(f"{tried.kind.name} gives no messages before a pipeline reads it")
        around = await self._surroundings(reach)
        return await _had(lambda: fetch(config, around, "", most))

    async def _surroundings(self, reach: Reach) -> Surroundings:
        """Those of the environment that is spoken for; without one there are no files."""
        if self._around.files is None:
            return self._around
        with heard():
            async with self._database.reading() as connection:
                tenant = await environment_of(connection, reach)
        return replace(self._around, tenant=tenant, files=self._around.files / tenant)

    async def _config(self, reach: Reach, tried: Tried) -> Any:
        former = await self._secrets(reach, tried) if tried.connector_id else {}
        kept = told(tried.kind, tried.config, former, "config")
        return check(tried.kind, {**kept.settings, **kept.secrets}, "config")

    async def _secrets(self, reach: Reach, tried: Tried) -> Mapping[str, Any]:
        with heard():
            async with self._database.reading() as connection:
                row = await connector_row(connection, reach, tried.connector_id)
        if row["type"] != tried.kind.name:
            raise InvalidInput(f"the connector is of type {row['type']}", "connector_id")
        return self._vault.open(row["id"], row["secrets"])


def kind_in_path(text: str) -> Kind:
    """The kind that a path names: `kafka-source`. Raises NotFound, naming those there are."""
    kinds = {name.lower().replace("_", "-"): kind for name, kind in KINDS.items()}
    if text not in kinds:
        raise NotFound(
            f"there is no connector type {text[:64]}; there are {', '.join(sorted(kinds))}"
        )
    return kinds[text]


async def _had(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        return await ask()
    except _FAILURES as error:
        raise InvalidInput(str(error)) from error
