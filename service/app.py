"""The HTTP application: which routes there are, and what they are made of."""

import time
from collections.abc import Mapping, Sequence

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from service.accounts.tiers import allowances
from service.api.accounts.audit import AuditRoutes
from service.api.accounts.signing_tokens import SigningTokenRoutes
from service.api.addresses import networks_of
from service.api.checks import Check, Ping
from service.api.control.auth import AuthRoutes
from service.api.control.configurations import ConfigurationRoutes
from service.api.control.connector_types import ConnectorTypeRoutes
from service.api.control.connectors import ConnectorRoutes
from service.api.control.credentials import CredentialRoutes
from service.api.control.datamodels import DatamodelRoutes
from service.api.control.dead_letters import RefusedRoutes
from service.api.control.entrance import Entrance
from service.api.control.envs import EnvironmentRoutes
from service.api.control.exchange import ExchangeRoutes
from service.api.control.invitations import InvitationRoutes
from service.api.control.monitoring import MonitoringRoutes
from service.api.control.pipeline_logs import LogRoutes
from service.api.control.pipelines import PipelineRoutes
from service.api.control.smt import TransformRoutes
from service.api.control.subscriptions import SubscriptionRoutes
from service.api.control.teams import TeamRoutes
from service.api.control.users import UserRoutes
from service.api.direct import DirectLitestar
from service.api.dropins.arrivals import Arrivals
from service.api.dropins.posthog import PostHogDoors
from service.api.dropins.segment import SegmentDoors
from service.api.events.dead_letters import EventLetterRoutes
from service.api.events.ingestion import Door
from service.api.events.keys import KeyRoutes
from service.api.events.metrics import Metrics
from service.api.events.sign_in import SignInRoutes
from service.api.events.stats import StatsRoute
from service.api.faces import answer_error
from service.api.guards import Gate
from service.api.health import Health
from service.api.openapi import openapi_config
from service.api.operators import Operators, Telemetry
from service.api.questions.audience import Audience
from service.api.questions.customers import CustomerRoutes
from service.api.questions.erasures import ErasureRoutes
from service.api.questions.export import ExportRoutes
from service.api.questions.journeys import Journeys
from service.api.questions.live import LiveRoutes
from service.api.questions.numbers import Numbers
from service.api.questions.query import QueryRoute
from service.api.questions.receipts import ReceiptRoutes
from service.api.questions.saved import SavedRoutes
from service.api.questions.sql import SqlRoute
from service.api.rate_limits import Turnstile, telling
from service.api.served import Asking
from service.api.signed.doors import Desk, SignedDoors
from service.api.taking import Taking
from service.api.thedata.analytics import Analytics
from service.api.thedata.doorway import Doorway
from service.api.thedata.health import HealthRoute
from service.api.thedata.ingestion import Door as ThedataDoor
from service.api.thedata.insight import ThedataInsight
from service.api.thedata.pipelines import ThedataPipelines
from service.api.thedata.pushed import PushDoor
from service.api.thedata.sources import SourceRoutes
from service.api.threshold import Threshold
from service.api.transfers import Transfers
from service.api.uploads.routes import UploadRoutes
from service.bootstrap import Answering, Writing
from service.dashboard.pages import dashboard_routes
from service.gauges import Gauges
from service.query.subjects import Subjects
from service.storage.mark import Mark


def create_app(service: Answering) -> Litestar:
    """The application over an open service. Opens and closes nothing itself.

    Litestar's own logging, body reading and response classes are not used: they cost more than the
    handlers.
    """
    settings = service.settings
    threshold = Threshold(settings.hosts, settings.origins)
    return DirectLitestar(
        _routes(service), telling(answer_error), threshold, openapi_config=openapi_config()
    )


def create_worker_app(service: Writing) -> Litestar:
    """What a process that only writes answers: its health, and its telemetry if that is served."""
    pings = {"store": service.store.ping, "stream": service.stream.ping}
    health = Health(time.time(), lambda: True, pings)
    routes = [*_telemetry(service, health, None).routes(), *health.routes()]
    return DirectLitestar(routes, answer_error, Threshold(), openapi_config=None)


def _routes(service: Answering) -> Sequence[HTTPRouteHandler]:
    gate = Gate(service.keys, service.signatures, service.sessions, service.environments)
    proxies = networks_of(service.settings.trusted_proxies)
    turnstile = Turnstile(service.limits, gate, allowances(service.settings), proxies)
    questions, receipts, mark = service.questions, service.receipts, service.mark
    settings = service.settings
    asking = Asking(gate, receipts, mark, service.settings.cache_seconds)
    health = Health(service.started_at, service.ready, _pings(service), service.canary)
    taking = Taking(gate, service.ingest, mark, service.settings)
    arrivals = Arrivals(gate, turnstile, service.ingest, service.settings)
    audience = Audience(
        gate, turnstile, service.tickets, service.live, Subjects(questions, service.shelf)
    )
    handlers = [
        *Door(taking).routes(),
        *StatsRoute(gate, questions).routes(),
        *Metrics(asking, questions).routes(),
        *Numbers(asking, questions).routes(),
        *QueryRoute(asking, questions).routes(),
        *Journeys(asking, questions).routes(),
        *SqlRoute(asking, questions).routes(),
        *ExportRoutes(gate, asking, service.exports).routes(),
        *SavedRoutes(gate, turnstile, asking, service.saved, service.shelf).routes(),
        *CustomerRoutes(gate, service.customers).routes(),
        *ErasureRoutes(gate, turnstile, service.forgetting).routes(),
        *UploadRoutes(gate, turnstile, service.uploads, service.audit).routes(),
        *LiveRoutes(audience, service.settings).routes(),
        *SignedDoors(_desk(service)).routes(),
        *ReceiptRoutes(gate, receipts, mark, questions).routes(),
        *_control(service, Entrance(gate, turnstile)),
        *SignInRoutes(gate, turnstile, service.sign_in, service.sessions).routes(),
        *EventLetterRoutes(gate, service.stream, service.ingest, service.settings).routes(),
        *KeyRoutes(gate, turnstile, service.keys).routes(),
        *AuditRoutes(gate, service.audit).routes(),
        *SigningTokenRoutes(gate, turnstile, service.signing_tokens).routes(),
        *_telemetry(service, health, mark, service.census.measure).routes(),
        *_operators(service).routes(),
        *Transfers(service.operator_token, service.way).routes(),
        *health.routes(),
        *dashboard_routes(),
        *ThedataDoor(taking).routes(),
        *PushDoor(gate, service.pushing, settings).routes(),
        *Analytics(asking, questions).routes(),
        *HealthRoute(health).routes(),
        *_thedata_pipelines(service, Doorway(gate, turnstile)),
        *SegmentDoors(arrivals).routes(),
        *PostHogDoors(arrivals).routes(),
    ]
    return turnstile.before(handlers)


def _control(service: Answering, entrance: Entrance) -> list[HTTPRouteHandler]:
    parts, pipes = service.registry, service.pipelines
    return [
        *AuthRoutes(entrance, parts.logins, parts.resets, service.sessions).routes(),
        *UserRoutes(entrance, parts.people).routes(),
        *CredentialRoutes(entrance, parts.logins, parts.service_accounts).routes(),
        *ExchangeRoutes(entrance, parts.exchange, pipes.exchange).routes(),
        *EnvironmentRoutes(entrance, parts.tenancy).routes(),
        *TeamRoutes(entrance, parts.teams).routes(),
        *InvitationRoutes(entrance, parts.invitations).routes(),
        *PipelineRoutes(entrance, pipes.pipelines, pipes.states, service.insight).routes(),
        *ConfigurationRoutes(entrance, pipes.pipelines, pipes.importing).routes(),
        *ConnectorRoutes(entrance, pipes.connectors, pipes.states).routes(),
        *ConnectorTypeRoutes(entrance, pipes.trying).routes(),
        *LogRoutes(entrance, service.insight, pipes.states, service.settings).routes(),
        *MonitoringRoutes(entrance, service.insight, pipes.datamodels).routes(),
        *RefusedRoutes(entrance, service.insight).routes(),
        *SubscriptionRoutes(entrance, pipes.subscriptions).routes(),
        *DatamodelRoutes(entrance, pipes.datamodels).routes(),
        *TransformRoutes(entrance).routes(),
    ]


def _thedata_pipelines(service: Answering, doorway: Doorway) -> list[HTTPRouteHandler]:
    parts = service.pipelines
    return [
        *SourceRoutes(doorway, parts.connectors, parts.sources).routes(),
        *ThedataInsight(doorway, service.insight, parts.sources).routes(),
        *ThedataPipelines(
            doorway, parts.pipelines, parts.states, parts.sources, service.insight
        ).routes(),
    ]


def _desk(service: Answering) -> Desk:
    return Desk(
        service.partners,
        service.limits,
        service.ingest,
        service.customers,
        service.settings,
    )


def _telemetry(
    service: Answering | Writing, health: Health, mark: Mark | None, *measures: Ping
) -> Telemetry:
    settings = service.settings
    gauges = Gauges(service.stream, mark, settings.data_dir, settings.stream_max_bytes)
    measured = [Check("gauges", measure).up for measure in (gauges.measure, *measures)]
    return Telemetry(settings.prometheus_enabled, health.look, *measured)


def _operators(service: Answering) -> Operators:
    return Operators(service.operator_token, service.rollup, service.store, service.stream)


def _pings(service: Answering) -> Mapping[str, Ping]:
    return {
        "store": service.store.ping,
        "stream": service.stream.ping,
        "cache": service.shared.ping if service.shared else _in_memory,
        "control": service.database.ping,
    }


async def _in_memory() -> None:
    """A cache in this process is up when this runs."""
