"""The engine of pipelines, put together."""

from pathlib import Path

from service.accounts.erasures import Erasures
from service.bootstrap.place import sealing_of, this_process
from service.database import Database
from service.ingest import Ingest
from service.pipelines import engine, members
from service.pipelines.catalogue import Catalogue
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import KINDS
from service.pipelines.control.vault import Vault
from service.pipelines.engine import Engine
from service.pipelines.members import Members
from service.pipelines.model import Assignment
from service.pipelines.positions import Positions
from service.pipelines.runner import Limits, Parts
from service.pipelines.telling import FigureBook, Logs
from service.settings import Settings
from service.stream.jetstream import JetStream

_ALONE = "alone"
"""The name of a process that has no others beside it: after a crash it need not wait for itself."""


async def open_engine(
    settings: Settings, database: Database, stream: JetStream, ingest: Ingest
) -> Engine:
    """What carries the pipelines; it shares them with other workers where there may be some."""
    holder = this_process().replace(".", "_") if settings.is_shared else _ALONE
    workers = None
    if settings.is_shared:
        workers = Members(await stream.bucket(members.BUCKET), holder)

    erasures = Erasures(database)

    def surroundings(one: Assignment) -> Surroundings:
        return Surroundings(
            one.tenant,
            one.pipeline_id,
            allow_private=settings.allow_private_targets,
            files=Path(settings.files_dir, one.tenant) if settings.files_dir else None,
            ingest=ingest,
            erasures=erasures.reaches,
            events=stream,
        )

    parts = Parts(
        broker=stream,
        assignments=Catalogue(database, Vault(sealing_of(settings))),
        kinds=KINDS,
        surroundings=surroundings,
        limits=Limits(
            settings.pipeline_bytes,
            settings.pipeline_refused_bytes,
            settings.pipeline_give_up,
            settings.pipeline_days,
        ),
        positions=await Positions.on(stream),
        logs=await Logs.on(stream),
        figures=await FigureBook.on(stream),
        holder=holder,
    )
    return Engine(parts, await stream.bucket(engine.BUCKET), workers)
