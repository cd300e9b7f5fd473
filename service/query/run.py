"""Asks the event store and writes the answers down, the same question of many callers once."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec
import pyarrow as pa

from service.errors import HeadraceError
from service.query.buckets import shown
from service.query.cache import AnswerCache, Served, Waiting, patiently
from service.query.documents import metrics_document, numbers_document
from service.query.journeys import asked as journeys
from service.query.language.answer import answer_question
from service.query.language.planning import plan_question
from service.query.language.question import Question
from service.query.parameters import MetricsParameters, NumbersParameters
from service.query.planner import plan_metrics, plan_numbers
from service.query.share import Computed
from service.query.sql.answering import sql_document
from service.query.sql.reading import Sql
from service.query.sql.writing import written
from service.receipts import Place
from service.settings import Settings
from service.storage.cost import cost_of
from service.storage.mark import Mark
from service.storage.protocol import EventStore, Progress, Statement
from service.storage.statements import has_statement
from service.stream.protocol import Stream, StreamState
from service.telemetry import query_failures, query_seconds

_RATE_SECONDS = 60
_STREAM_PATIENCE = 0.5
"""Seconds to wait for the stream's word on how far it is; without it an answer is dated earlier."""
_SNAPSHOT = Statement("snapshot", {})


class Stats(msgspec.Struct, rename="camel"):
    """How fast events come in (events a second), and how many there are."""

    ingestion_rate: float
    total_ingested: int
    timestamp: str


@dataclass(frozen=True, slots=True)
class ReceiptCounts:
    """Of the events that a receipt stands for: how many are stored, how many were known before."""

    stored: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class _Begun:
    """What was known when a question began: the time, and how far store and stream were then."""

    at: int
    stored: Progress
    stream: StreamState | None

    def as_of(self, progress: Progress) -> int:
        """Up to when all acknowledged events are in an answer from a store at `progress`."""
        stream = self.stream
        if stream is None:
            return progress.message_time
        same = stream.created == progress.stream_created
        if stream.last_sequence == 0 or (same and progress.sequence >= stream.last_sequence):
            return self.at
        return progress.message_time


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the store answered, all from one snapshot."""

    tables: Sequence[pa.Table]
    progress: Progress | None
    """How far the store was, if it can say so in a snapshot."""
    store_ms: float


class Questions:
    """Everything that can be asked of the events of a tenant."""

    def __init__(
        self,
        store: EventStore,
        stream: Stream,
        cache: AnswerCache,
        settings: Settings,
        mark: Mark | None = None,
    ) -> None:
        self._mark = mark or Mark()
        """How far a store is, at least, that cannot say so in the snapshot of its answers."""
        self._snapshot = [_SNAPSHOT] if has_statement(_SNAPSHOT.name, store.dialect) else []
        self._store = store
        self._stream = stream
        self._cache = cache
        self._timeout = settings.query_timeout

    async def metrics(
        self,
        tenant: str,
        parameters: MetricsParameters,
        at_least: int = 0,
        waiting: Waiting = patiently,
    ) -> Served:
        """The metrics document. `at_least` is the lowest position that it must contain.

        Raises QuestionTooBig past the time or memory cap.
        """
        key = _key("metrics", tenant, parameters.canonical())
        return await self._cache.answer(
            key, lambda: self._metrics(tenant, parameters), at_least, waiting
        )

    async def numbers(
        self,
        tenant: str,
        parameters: NumbersParameters,
        at_least: int = 0,
        waiting: Waiting = patiently,
    ) -> Served:
        """Count, sum, mean and extremes of a numeric field of the payload.

        Raises QuestionTooBig past the time or memory cap.
        """
        key = _key("numbers", tenant, parameters.canonical())
        return await self._cache.answer(
            key, lambda: self._numbers(tenant, parameters), at_least, waiting
        )

    async def query(self, tenant: str, question: Question, at_least: int = 0) -> Served:
        """What a query asks for. Raises QuestionTooBig past the time or memory cap."""
        key = _key("query", tenant, question.canonical())
        return await self._cache.answer(key, lambda: self._query(tenant, question), at_least)

    async def journey(self, tenant: str, question: journeys.Question, at_least: int = 0) -> Served:
        """What users do one after the other. Raises QuestionTooBig past the time or memory cap."""
        key = _key(question.kind, tenant, question.canonical())
        return await self._cache.answer(key, lambda: self._journey(tenant, question), at_least)

    async def sql(self, tenant: str, sql: Sql, at_least: int = 0) -> Served:
        """What a query in SQL asks for.

        Raises InvalidSql for what the engine does not understand, QuestionTooBig past a cap.
        """
        key = _key("sql", tenant, sql.canonical())
        return await self._cache.answer(key, lambda: self._sql(tenant, sql), at_least)

    async def stats(self, tenant: str) -> Stats:
        """How fast events come in now, and how many have come."""
        now = _now()
        values = {"tenant": tenant, "received_from": now - _RATE_SECONDS * 1000}
        asked = await self._ask("stats", Statement("stats", values))
        [row] = asked.tables[0].to_pylist()
        return Stats(round(row["received"] / _RATE_SECONDS, 1), row["events"], shown(now))

    async def receipt_counts(self, tenant: str, place: Place) -> ReceiptCounts:
        """What became of the events of a request."""
        values = {
            "tenant": tenant,
            "position": place.position,
            "first": place.first,
            "count": place.count,
        }
        asked = await self._ask("receipt", Statement("receipt_counts", values))
        stored = asked.tables[0]["stored"][0].as_py()
        return ReceiptCounts(stored, place.count - stored)

    async def _metrics(self, tenant: str, parameters: MetricsParameters) -> Computed:
        begun = await self._begin()
        open_end = parameters.range.end >= begun.at or parameters.range.name is not None
        plan = plan_metrics(tenant, parameters, open_end=open_end)
        asked = await self._ask("metrics", *plan.statements)
        if _is_wrong(asked):
            plan = plan_metrics(tenant, parameters, open_end=False)
            asked = await self._ask("metrics", *plan.statements)
        document = metrics_document(parameters, plan, *asked.tables[:3])
        return replace(_computed(document, begun, asked), source=plan.source)

    async def _numbers(self, tenant: str, parameters: NumbersParameters) -> Computed:
        begun = await self._begin()
        asked = await self._ask("numbers", plan_numbers(tenant, parameters), costs=True)
        computed = _computed(numbers_document(parameters, asked.tables[0]), begun, asked)
        return replace(computed, source="raw", cost=cost_of(asked.tables))

    async def _query(self, tenant: str, question: Question) -> Computed:
        begun = await self._begin()
        plan = plan_question(tenant, question)
        asked = await self._ask("query", *plan.statements.values(), costs=True)
        tables = dict(zip(plan.statements, asked.tables, strict=True))
        document = answer_question(question, plan, tables)
        computed = _computed(document, begun, asked)
        return replace(computed, source=plan.source, cost=cost_of(asked.tables))

    async def _journey(self, tenant: str, question: journeys.Question) -> Computed:
        begun = await self._begin()
        statements = question.statements(tenant)
        asked = await self._ask(question.kind, *statements.values(), costs=True)
        document = question.document(dict(zip(statements, asked.tables, strict=True)))
        computed = _computed(document, begun, asked)
        return replace(computed, source="raw", cost=cost_of(asked.tables))

    async def _sql(self, tenant: str, sql: Sql) -> Computed:
        begun = await self._begin()
        known = await self._ask("sql", Statement("ping", {}))
        made = await asyncio.to_thread(written, sql, tenant, self._store.dialect)
        with _timed("sql"):
            began = time.perf_counter()
            answer = await self._store.consult(made, self._timeout)
            took = (time.perf_counter() - began) * 1000
        document = sql_document(answer, sql.limit)
        computed = _computed(document, begun, replace(known, store_ms=took))
        return replace(computed, source="raw", cost=cost_of([answer]))

    async def _ask(self, question: str, *statements: Statement, costs: bool = False) -> _Asked:
        asked = (*self._snapshot, *statements)
        with _timed(question):
            began = time.perf_counter()
            answers = await self._store.fetch(*asked, timeout=self._timeout, costs=costs)
            took = (time.perf_counter() - began) * 1000
        if not self._snapshot:
            return _Asked(answers, None, took)
        snapshot, *tables = answers
        [progress] = snapshot.drop_columns("rolled").to_pylist()
        return _Asked(tables, Progress(**progress), took)

    async def _begin(self) -> _Begun:
        now, stored = _now(), self._mark.progress
        try:
            async with asyncio.timeout(_STREAM_PATIENCE):
                return _Begun(now, stored, await self._stream.state())
        except (OSError, HeadraceError):
            return _Begun(now, stored, None)


@contextmanager
def _timed(question: str) -> Iterator[None]:
    """Time what is asked of the store, and count what it does not answer."""
    with query_seconds.labels(question).time():
        try:
            yield
        except HeadraceError as error:
            query_failures.labels(question, error.code).inc()
            raise


def _computed(document: bytes, begun: _Begun, asked: _Asked) -> Computed:
    progress = asked.progress or begun.stored
    return Computed(document, progress.position, begun.as_of(progress), asked.store_ms)


def _is_wrong(asked: _Asked) -> bool:
    return len(asked.tables) > 3 and bool(asked.tables[3]["events"][0].as_py())


def _key(question: str, tenant: str, canonical: tuple[object, ...]) -> bytes:
    return blake2b(msgspec.json.encode((question, tenant, canonical)), digest_size=16).digest()


def _now() -> int:
    return time.time_ns() // 1_000_000
