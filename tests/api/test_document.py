"""The OpenAPI document is true: whatever it lets one send, to whatever it names, as whomever.

Every operation is called with what Schemathesis makes of its description: what is allowed, and
what just is not. Nothing fails on the server's side, and each answer has a status, a content type
and a body that the document names for it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import create_app
from tests.api.callers import PROXY, Caller, everybody
from tests.api.edge import parts_of
from tests.whole import Whole, the_whole_service

CASES = int(os.environ.get("HEADRACE_TEST_CASES", "10"))
"""How many of an operation are drawn by lot, beside those that look at each of its borders."""
BORDERS = 5 * CASES
"""How many of those at the borders at most."""
BY_EVERYBODY = 5
"""How many of an operation's cases everybody sends; the others are sent by one after another."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = schemathesis.openapi.from_dict(create_app(parts_of()).openapi_schema.to_schema())
DOCUMENT.config.generation.with_security_parameters = False
DOCUMENT.config.max_stream_events = 1
ENDLESS = "POST /-/still"
"""Answered for as long as its caller stays (tests/chaos/test_backup.py)."""
_ALL = [operation.ok() for operation in DOCUMENT.get_all_operations()]
OPERATIONS = [operation for operation in _ALL if operation.label != ENDLESS]
BOTH = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


@schemathesis.serializer("application/x-ndjson")
def ndjson(_: schemathesis.SerializationContext, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    data_dir = tmp_path_factory.mktemp("whole") / "data"
    with the_whole_service(data_dir, trusted_proxies=PROXY) as whole:
        yield whole


@pytest.fixture(scope="module")
def callers(whole: Whole) -> list[Caller]:
    return everybody(whole)


def each_operation(test: Any) -> Any:
    named = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
    return named(test)


@each_operation
def test_every_answer_is_one_that_the_document_names(
    operation: APIOperation, whole: Whole, callers: list[Caller]
):
    with judging(whole) as judge:
        for number, case in enumerate(borders(operation)):
            by_turns = [callers[number % len(callers)]]
            for caller in callers if number < BY_EVERYBODY else by_turns:
                judge.call(case, caller)


@each_operation
def test_what_is_drawn_by_lot_is_answered_so_as_well(
    operation: APIOperation, whole: Whole, callers: list[Caller]
):
    turns = cycle(callers)

    @given(
        case=operation.as_strategy(GenerationMode.POSITIVE)
        | operation.as_strategy(GenerationMode.NEGATIVE)
    )
    @settings(max_examples=CASES, phases=[Phase.generate])
    def draw(case: Case) -> None:
        judge.call(case, next(turns))

    with judging(whole) as judge:
        draw()


def borders(operation: APIOperation) -> Sequence[Case]:
    """What lies just inside and just outside of what the document allows; of many a selection."""
    generation = DOCUMENT.config.generation
    cases = DOCUMENT.iter_coverage_cases(
        operation, generation_modes=BOTH, generation_config=generation
    )
    found = list(islice(cases, 10 * BORDERS))
    return found[:: -(-len(found) // BORDERS)]


class Judge:
    """Calls, and keeps what is wrong with the answers, one of each kind."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self._url = url
        self._session = session
        self.found: dict[str, str] = {}

    def call(self, case: Case, caller: Caller) -> None:
        where = {"base_url": self._url, "session": self._session, "headers": caller.headers()}
        where |= {"auth": caller.sign} if caller.sign else {}
        for name in caller.place.keys() & case.path_parameters.keys():
            case.path_parameters[name] = caller.place[name]
        try:
            case.call_and_validate(checks=CHECKS, **where)
        except FailureGroup as group:
            for failure in group.exceptions:
                kind = f"{failure.title} {failure.message[:80]}"
                self.found.setdefault(kind, f"{caller.name}: {group}")


@contextmanager
def judging(whole: Whole) -> Iterator[Judge]:
    with requests.Session() as session:
        judge = Judge(whole.url, session)
        yield judge
    assert not judge.found, "\n\n".join(judge.found.values())
