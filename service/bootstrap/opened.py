"""What is open: everything that answers questions, everything that writes, or both."""

from collections.abc import Callable
from dataclasses import dataclass

from service.accounts.audit_log import AuditLog
from service.accounts.environments import Environments
from service.accounts.keys import Keys
from service.accounts.partners import Partners
from service.accounts.registry import Registry
from service.accounts.saved import SavedQuestions
from service.accounts.sessions import Sessions
from service.accounts.sign_in import SignIn
from service.accounts.signatures import Signatures
from service.accounts.signing_tokens import SigningTokens
from service.accounts.tickets import Tickets
from service.canary import Canary
from service.database import Database
from service.delivery.uploads.carrying_out import Uploads
from service.erasure.asking import Forgetting
from service.ingest import Ingest
from service.limits import Limits
from service.migrate import Migratable
from service.pipelines.control.census import Census
from service.pipelines.control.registry import Control
from service.pipelines.engine import Engine
from service.pipelines.insight import Insight
from service.pipelines.pushing import Pushing
from service.query.customers import Customers
from service.query.exports import Exports
from service.query.live import Live
from service.query.run import Questions
from service.query.saved.shelf import Shelf
from service.receipts import Receipts
from service.retention import Retention
from service.rollup import Rollup
from service.settings import Settings
from service.shared.protocol import Shared
from service.storage.mark import Mark
from service.stream.lease import Lease
from service.stream.protocol import Stream
from service.transfer.incoming import Way
from service.writer import Writer


@dataclass(frozen=True)
class Answering:
    """Everything that takes events in and answers questions, opened."""

    settings: Settings
    database: Database
    environments: Environments
    keys: Keys
    signatures: Signatures
    signing_tokens: SigningTokens
    sessions: Sessions
    tickets: Tickets
    sign_in: SignIn
    audit: AuditLog
    registry: Registry
    pipelines: Control
    pushing: Pushing
    """For records that are posted to a pipeline."""
    insight: Insight
    """Into what pipelines do."""
    census: Census
    """Of all pipelines, for telemetry."""
    limits: Limits
    stream: Stream
    store: Migratable
    shared: Shared | None
    mark: Mark
    rollup: Rollup
    receipts: Receipts
    ingest: Ingest
    questions: Questions
    customers: Customers
    forgetting: Forgetting
    exports: Exports
    saved: SavedQuestions
    shelf: Shelf
    live: Live
    partners: Partners
    uploads: Uploads
    way: Way
    """For events of files on their way in."""
    operator_token: str
    started_at: float
    """Unix time in seconds."""
    canary: Canary
    """To be kept flying while this process serves."""
    follows: Callable[[], bool]
    """Whether this process hears what the store has."""

    def ready(self) -> bool:
        """Whether the schemas fit and events are being counted; the parts are asked apart."""
        return self.follows()


@dataclass(frozen=True)
class Writing:
    """Everything that carries events from the stream to the store, opened."""

    settings: Settings
    stream: Stream
    store: Migratable
    mark: Mark
    rollup: Rollup
    retention: Retention
    audit: AuditLog
    """Whose old entries this half forgets."""
    writer: Writer | None
    """The only one on the store; None where processes write by turns."""
    turns: "Turns | None"
    engine: Engine
    """What carries pipelines."""


@dataclass(frozen=True)
class Turns:
    """Processes that may all write: whose turn it is, and a writer for when it is ours."""

    lease: Lease
    retention: Retention
    audit: AuditLog
    """Both for whose turn it is."""
    new_writer: Callable[[], Writer]


@dataclass(frozen=True)
class Service(Answering, Writing):
    """Everything that answers and works, opened. Made by `open_service`."""

    def ready(self) -> bool:
        return self.writer.works if self.writer else self.follows()
