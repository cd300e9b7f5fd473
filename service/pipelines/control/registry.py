"""Everything that people change about pipelines, put together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from service.accounts.sealing import Sealing
from service.database import Database
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.control.configuration import Importing
from service.pipelines.control.connectors import Connectors
from service.pipelines.control.datamodels import Datamodels
from service.pipelines.control.exchange import PipelineExchange
from service.pipelines.control.pipelines import Pipelines
from service.pipelines.control.sources import Sources
from service.pipelines.control.states import States
from service.pipelines.control.subscriptions import Subscriptions
from service.pipelines.control.trying import Trying
from service.pipelines.control.vault import Vault


@dataclass(frozen=True, slots=True)
class Control:
    """The parts that the faces change."""

    connectors: Connectors
    pipelines: Pipelines
    states: States
    subscriptions: Subscriptions
    datamodels: Datamodels
    importing: Importing
    exchange: PipelineExchange
    sources: Sources
    trying: Trying

    @classmethod
    def over(
        cls,
        database: Database,
        sealing: Sealing,
        allow_private: bool = False,
        files: Path | None = None,
    ) -> Self:
        """All of them over one database; `allow_private`: whether tries may reach private hosts,
        `files`: the folder with a folder for each environment that they may read."""
        vault = Vault(sealing)
        around = Surroundings("", allow_private=allow_private, files=files)
        return cls(
            connectors=Connectors(database, vault),
            pipelines=Pipelines(database, vault),
            states=States(database),
            subscriptions=Subscriptions(database, vault),
            datamodels=Datamodels(database, vault),
            importing=Importing(database, vault),
            exchange=PipelineExchange(vault),
            sources=Sources(database),
            trying=Trying(database, vault, around),
        )
