"""The signed face, as its document and its contract say it."""

import hmac
import time
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec
import pytest

from service.accounts.derivations import signing_keys
from service.accounts.signing_tokens import SCHEMES, Wanted
from service.api.signed.records import KINDS
from service.errors import IngestionUnavailable
from tests.api.edge import Edge, running
from tests.signing import Accounts

ACC, WS = "acc1", "ws1"
DEPOSIT = "events/deposit"


def record(name: str = DEPOSIT, **changes: Any) -> dict[str, Any]:
    """A record of a kind, as the document's example; `None` leaves a field out."""
    whole = {**KINDS[name].example, **changes}
    return {field: value for field, value in whole.items() if value is not None}


@dataclass
class Partner:
    """Somebody with a signing token of an account and a workspace."""

    edge: Edge
    token: str
    scheme: str = "hkdf"

    def signature(self, text: bytes, algorithm: str = "sha256") -> str:
        key = signing_keys(self.token, ACC, WS).keys[self.scheme]
        return hmac.new(key, text, algorithm).hexdigest()

    async def push(
        self, records: Any, name: str = DEPOSIT, **headers: str | bytes
    ) -> httpx2.Response:
        """Sign and send; `x_nonce="…"` becomes the header of that name."""
        body = records if isinstance(records, bytes) else msgspec.json.encode(records)
        named = {n.replace("_", "-"): value for n, value in headers.items()}
        usual = {"x-optikpi-token": self.token, "x-hmac-signature": self.signature(body)}
        usual |= {"content-type": "application/json"}
        return await self.edge.client.post(
            f"/apigw/ingest/{name}/{ACC}/{WS}", content=body, headers=usual | named
        )


@pytest.fixture
async def edge(house: Edge) -> Edge:
    """With real accounts behind it."""
    return house


async def a_partner(edge: Edge, accounts: Accounts, **wanted: Any) -> Partner:
    made = await accounts.signing_tokens.create(Wanted(ACC, WS, "test", **wanted), "env_default")
    return Partner(edge, made.text)


@pytest.fixture
async def partner(edge: Edge, accounts: Accounts) -> Partner:
    return await a_partner(edge, accounts)


@pytest.mark.parametrize("name", KINDS)
async def test_each_kind_of_record_is_taken_and_answered_as_documented(partner: Partner, name: str):
    answer = await partner.push([record(name, event_id="e1"), record(name, event_id="e2")], name)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert set(said) == {"message", "recordIds", "count", "streamName", "destination"}
    assert (said["count"], len(said["recordIds"])) == (2, 2)
    assert said["message"].startswith(f"2 {KINDS[name].about}(s) sent to ")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_every_derivation_and_digest_in_use_is_accepted(partner, scheme, algorithm: str):
    partner.scheme = scheme
    body = msgspec.json.encode(record())
    signature = partner.signature(body, algorithm)
    answer = await partner.push(body, x_hmac_algorithm=algorithm, x_hmac_signature=signature)
    assert answer.status_code == 200, answer.text


async def test_ids_may_come_in_headers_instead_of_the_path(partner: Partner):
    body = msgspec.json.encode(record())
    headers = {"x-optikpi-token": partner.token, "x-hmac-signature": partner.signature(body)}
    ids = {"x-optikpi-account-id": ACC, "x-optikpi-workspace-id": WS}
    client = partner.edge.client
    both = await client.post(f"/apigw/ingest/{DEPOSIT}", content=body, headers=headers | ids)
    none = await client.post(f"/apigw/ingest/{DEPOSIT}", content=body, headers=headers)
    assert (both.status_code, none.status_code) == (200, 400)
    other = await partner.push(record(), x_optikpi_account_id="acc2")
    assert (other.status_code, other.json()["details"]["field"]) == (400, "account_id")


async def test_what_is_stored_is_what_was_sent(partner: Partner):
    sent = record(amount=12.5, currency="USD", metadata={"a": 1}, brand="x")
    await partner.push(sent)
    [event] = partner.edge.parts.stream.events
    assert event["event_type"] == "deposit"
    assert (event["event_id"], event["user_id"]) == (sent["event_id"], sent["user_id"])
    assert dict(event["numbers"])["amount"] == 12.5
    payload = msgspec.json.decode(event["payload"])
    assert payload["brand"] == "x"
    assert not {"account_id", "user_id", "metadata"} & set(payload)
    assert msgspec.json.decode(event["metadata"]) == {"a": 1}


async def test_a_retry_has_the_same_record_ids(partner: Partner):
    first, again = await partner.push(record()), await partner.push(record())
    assert first.json()["recordIds"] == again.json()["recordIds"]


@pytest.mark.parametrize(
    "wrong",
    ["", "00", "é", "Z" * 64, "0" * 64, "0" * 63, "0" * 128],
)
async def test_a_wrong_signature_is_401_and_nothing_is_read(partner: Partner, wrong: str):
    answer = await partner.push(b"not json", x_hmac_signature=wrong.encode())
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"] == "Unauthorized"
    assert partner.edge.parts.stream.events == []


async def test_a_signature_in_upper_case_is_none(partner: Partner):
    body = msgspec.json.encode(record())
    answer = await partner.push(body, x_hmac_signature=partner.signature(body).upper())
    assert answer.status_code == 401


async def test_any_change_of_the_body_or_the_workspace_breaks_the_signature(partner: Partner):
    body = msgspec.json.encode(record())
    headers = {"x_hmac_signature": partner.signature(body)}
    assert (await partner.push(body + b" ", **headers)).status_code == 401
    path = f"/apigw/ingest/{DEPOSIT}/{ACC}/other"
    named = {"x-optikpi-token": partner.token, "x-hmac-signature": headers["x_hmac_signature"]}
    answer = await partner.edge.client.post(path, content=body, headers=named)
    assert answer.status_code == 401


async def test_an_unknown_token_is_401_and_one_that_has_ended_403(partner: Partner, accounts):
    unknown = await partner.push(record(), x_optikpi_token="evt_unknown")
    [token] = await accounts.signing_tokens.list("env_default")
    await accounts.signing_tokens.revoke(token.id, "env_default")
    assert (unknown.status_code, (await partner.push(record())).status_code) == (401, 403)


async def test_a_pinned_token_takes_its_own_derivation_alone(edge: Edge, accounts: Accounts):
    pinned = await a_partner(edge, accounts, scheme="shell")
    assert (await pinned.push(record())).status_code == 401
    pinned.scheme = "shell"
    assert (await pinned.push(record())).status_code == 200


async def with_nonce(partner: Partner, nonce: str, at: int) -> httpx2.Response:
    body = msgspec.json.encode(record())
    signature = partner.signature(b"%d.%b.%b" % (at, nonce.encode(), body))
    named = {"x_timestamp": str(at), "x_nonce": nonce, "x_hmac_signature": signature}
    return await partner.push(body, **named)


async def test_a_token_that_requires_a_nonce_takes_each_once_and_in_time(edge, accounts):
    careful = await a_partner(edge, accounts, requires_nonce=True)
    now = int(time.time()) + 1
    assert (await careful.push(record())).status_code == 401
    assert (await with_nonce(careful, "n1", now)).status_code == 200
    assert (await with_nonce(careful, "n1", now)).status_code == 401
    assert (await with_nonce(careful, "n2", now - 1000)).status_code == 401
    assert (await with_nonce(careful, "n.3", now)).status_code == 401


@pytest.mark.parametrize(
    ("name", "changes", "field", "issue"),
    [
        (DEPOSIT, {"amount": None}, "amount", "missing required field"),
        (DEPOSIT, {"amount": "5"}, "amount", "Expected"),
        (DEPOSIT, {"payment_method": "cash"}, "payment_method", "one of bank, credit_card"),
        (DEPOSIT, {"event_time": "yesterday"}, "event_time", "Invalid RFC3339"),
        (DEPOSIT, {"event_time": "2999-01-01T00:00:00Z"}, "event_time", "future"),
        (DEPOSIT, {"account_id": "acc2"}, "account_id", "not the account that signed"),
        (DEPOSIT, {"user_id": "a\x00b"}, "user_id", "control characters"),
        ("customers", {"email": "john"}, "email", "valid e-mail"),
        ("customers", {"date_of_birth": "1990-13-01"}, "date_of_birth", "Invalid RFC3339"),
        ("customers", {"financial_risk_level": 1.5}, "financial_risk_level", "<= 1"),
        ("customers", {"cooling_off_period": None}, "cooling_off_period", "expiry_date will do"),
        ("extattributes", {"ext_data": "[1]"}, "ext_data", "JSON object"),
    ],
)
async def test_a_record_that_does_not_fit_is_named_with_its_field(
    partner: Partner, name, changes, field, issue
):
    answer = await partner.push([record(name, event_id="ok"), record(name, **changes)], name)
    said = answer.json()
    assert (answer.status_code, said["error"]) == (400, "Bad Request")
    assert said["details"]["field"] == field
    assert issue in said["details"]["issue"]
    assert [fault["index"] for fault in said["details"]["errors"]] == [1]
    assert partner.edge.parts.stream.events == []


async def test_all_that_is_wrong_is_told_at_once(partner: Partner):
    wrong = [record(amount=None, event_name=None), record(event_id="")]
    errors = (await partner.push(wrong)).json()["details"]["errors"]
    assert [(e["index"], e["field"]) for e in errors] == [
        (0, "event_name"),
        (0, "amount"),
        (1, "event_id"),
    ]


async def test_newer_customers_with_expiry_dates_are_taken(partner: Partner):
    newer = record(
        "customers",
        cooling_off_period=None,
        self_exclusion_period=None,
        cooling_off_expiry_date="2024-02-01",
        self_exclusion_expiry_date="",
    )
    assert (await partner.push(newer, "customers")).status_code == 200


async def test_attributes_may_come_as_text(partner: Partner):
    sent = record("extattributes", ext_data='{"score":2}')
    assert (await partner.push(sent, "extattributes")).status_code == 200
    [event] = partner.edge.parts.stream.events
    assert msgspec.json.decode(event["payload"])["ext_data"] == {"score": 2}


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"[]", 400), (b"[1]", 400), (b"{", 400), (b"[{}]", 400)]
)
async def test_a_body_without_records_is_400(partner: Partner, body: bytes, status: int):
    assert (await partner.push(body)).status_code == status


async def test_more_than_five_hundred_records_are_413(partner: Partner):
    many = [record(event_id=f"e{n}") for n in range(501)]
    assert (await partner.push(many)).status_code == 413
    assert (await partner.push(many[:500])).json()["count"] == 500


async def test_a_packed_body_is_refused_by_name(partner: Partner):
    assert (await partner.push(record(), content_encoding="gzip")).status_code == 415


async def test_too_many_requests_in_a_second_are_told_when_to_come_again(accounts: Accounts):
    async with running(**vars(accounts), signed_per_second=2) as edge:
        partner = await a_partner(edge, accounts)
        answers = [await partner.push(record()) for _ in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert int(refused[0].headers["retry-after"]) >= 1


async def test_a_stream_that_is_away_is_503_in_the_faces_form(partner: Partner):
    partner.edge.parts.stream.error = IngestionUnavailable("the stream does not acknowledge")
    answer = await partner.push(record())
    assert (answer.status_code, answer.json()["error"]) == (503, "Service Unavailable")
    assert "retry-after" in answer.headers


async def test_health_asks_for_nothing(edge: Edge):
    answer = await edge.client.get("/apigw/ingest/datapipeline/health")
    assert answer.status_code == 200
    assert {"status": "healthy", "service": "data-pipeline-api"}.items() <= answer.json().items()


async def test_a_path_that_is_not_there_is_404_in_the_faces_form(edge: Edge):
    answer = await edge.client.post("/apigw/ingest/events/other")
    assert (answer.status_code, answer.json()["error"]) == (404, "Not Found")


async def test_the_derivation_that_signed_is_noted(partner: Partner, accounts: Accounts):
    partner.scheme = "hkdf-swapped"
    await partner.push(record())
    await accounts.signing_tokens.close()
    [token] = await accounts.signing_tokens.list("env_default")
    assert token.last_scheme == "hkdf-swapped"
