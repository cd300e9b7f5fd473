"""Whatever a model of the signed face allows is taken and comes back equal; no change passes."""

import hmac
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from service.accounts.derivations import signing_keys
from service.accounts.signing_tokens import Wanted
from service.api.signed.records import KINDS
from service.api.signed.shapes import PAIRS
from tests.whole import Whole, the_whole_service

ACC, WS, KEY = "acc1", "ws1", "evp_" + "k" * 40
KEPT_ELSEWHERE = {"account_id", "workspace_id", "user_id", "event_id", "event_time", "metadata"}
EVENTS = sorted(name for name in KINDS if name.startswith("events/"))
texts = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20)
names = texts.filter(lambda text: text.strip() and text not in {".", ".."})
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, anything, max_size=3)
first, last = map(datetime.fromisoformat, ("1900-01-01", "2026-01-01"))
moments = st.datetimes(first, last, timezones=st.just(UTC))
a_few = settings(max_examples=25, phases=[Phase.generate])
number = count()


def allowed(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Values that a field of this type may have, as JSON has them."""
    match kind:
        case inspect.UnionType(types=types):
            return st.one_of(map(allowed, types))
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.StrType(min_length=least):
            return names if least else texts
        case inspect.FloatType(ge=least, le=most):
            return st.floats(least, most, allow_nan=False, allow_infinity=False)
        case inspect.IntType(ge=least):
            return st.integers(least if least is not None else -(2**53), 2**53)
    return OF_TYPE[type(kind)]


OF_TYPE: Mapping[type, st.SearchStrategy[Any]] = {
    inspect.DateTimeType: moments.map(datetime.isoformat),
    inspect.DateType: moments.map(lambda moment: moment.date().isoformat()),
    inspect.DictType: objects,
    inspect.NoneType: st.none(),
}


@st.composite
def records(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A record of a kind with an id of its own, and a field that no model names."""
    found: dict[str, Any] = {"x-" + draw(texts): draw(anything)}
    for field in inspect.type_info(KINDS[name].model).fields:
        if field.required or draw(st.booleans()):
            found[field.encode_name] = draw(allowed(field.type))
    if found.get("event_data") is not None:
        found["event_data"] = draw(objects | objects.map(json.dumps))
    own = {"account_id": ACC, "workspace_id": WS, "user_id": f"u{next(number)} {draw(names)}"}
    if name in EVENTS:
        return found | own | {"event_id": f"e{next(number)}"}
    pairs = {older: 7 for older, newer in PAIRS if not {older, newer} & set(found)}
    return found | own | pairs | {"email": "ada@example.com"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("signed")
    often = {"signed_per_second": 10_000, "cache_seconds": 0.0}
    with the_whole_service(folder / "data", bootstrap_api_key=KEY, **often) as whole:
        yield whole


@pytest.fixture(scope="module")
def token(whole: Whole) -> str:
    creating = whole.accounts.signing_tokens.create(Wanted(ACC, WS, "test"), "env_default")
    return whole.run(creating).text


def signed(token: str, body: bytes) -> dict[str, str]:
    key = signing_keys(token, ACC, WS).keys["hkdf"]
    signature = hmac.new(key, body, "sha256").hexdigest()
    return {"x-optikpi-token": token, "x-hmac-signature": signature}


def push(whole: Whole, name: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
    url = f"{whole.url}/apigw/ingest/{name}/{ACC}/{WS}"
    return httpx2.post(url, content=body, headers={**headers, "content-type": "application/json"})


def ask(whole: Whole, path: str, **parameters: str) -> httpx2.Response:
    url = f"{whole.url}/api/v1{path}"
    return httpx2.get(url, params=parameters, headers={"x-api-key": KEY}, timeout=30)


def stored_events(whole: Whole, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """The events of these ids, once all of them are there."""
    span = {"start": "1899-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = ask(whole, "/analytics/events/export", **span).text.splitlines()
        found = {event["eventId"]: event for event in map(json.loads, lines)}
        if wanted <= set(found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{len(wanted - set(found))} events are not there")


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_that_a_model_allows_is_taken_and_comes_back_equal(whole, token, name):
    sent: dict[str, dict[str, Any]] = {}

    @a_few
    @given(st.lists(records(name), min_size=1, max_size=5))
    def send(batch: list[dict[str, Any]]) -> None:
        answer = push(whole, name, body := msgspec.json.encode(batch), signed(token, body))
        assert answer.status_code == 200, (batch, answer.text)
        sent.update({record["event_id"]: record for record in batch})

    send()
    stored = stored_events(whole, set(sent))
    for event_id, record in sent.items():
        kept = {n: value for n, value in record.items() if n not in KEPT_ELSEWHERE}
        if isinstance(text := kept.get("event_data"), str):
            kept["event_data"] = json.loads(text)
        assert stored[event_id]["payload"] == kept
        assert stored[event_id]["metadata"] == (record.get("metadata") or {})


def test_every_customer_that_the_model_allows_is_taken_and_comes_back_equal(whole, token):
    sent: dict[str, dict[str, Any]] = {}

    @a_few
    @given(st.lists(records("customers"), min_size=1, max_size=5))
    def send(batch: list[dict[str, Any]]) -> None:
        answer = push(whole, "customers", body := msgspec.json.encode(batch), signed(token, body))
        assert answer.status_code == 200, (batch, answer.text)
        sent.update({record["user_id"]: record for record in batch})

    send()
    known: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + 60
    while not set(sent) <= set(known) and time.monotonic() < deadline:
        page = ask(whole, "/customers", limit="500").json()["data"]
        assert page["nextCursor"] is None
        known = {customer["userId"]: customer["profile"] for customer in page["customers"]}
    assert {user: known.get(user) for user in sent} == sent


@a_few
@given(data=st.data())
def test_any_single_change_of_a_signed_request_is_refused(whole, token, data):
    name = data.draw(st.sampled_from(sorted(KINDS)))
    body = msgspec.json.encode(KINDS[name].example)
    headers = signed(token, body)
    parts = {"body": body} | {n: value.encode() for n, value in headers.items()}
    which = data.draw(st.sampled_from(sorted(parts)))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    other = data.draw(st.integers(33, 126).filter(lambda byte: byte != parts[which][at]))
    changed = bytearray(parts[which])
    changed[at] = other
    parts[which] = bytes(changed)
    answer = push(whole, name, parts.pop("body"), {n: v.decode() for n, v in parts.items()})
    assert answer.status_code == 401, (which, at, chr(other), answer.text)
