"""`headrace deliver` against an API on a real socket."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.delivery.api import Api, serving
from tests.delivery.building import a_config, a_csv, delivered, in_time, rows_of, the_report

BUSY: tuple[int, dict[str, str], bytes] = (503, {}, b"")
OK = (201, {}, b"{}")


async def test_every_row_is_created_once_and_reported(tmp_path: Path):
    file = a_csv(tmp_path, 50)
    with serving(Api()) as api:
        code, said = await in_time(delivered(file, a_config(tmp_path, api)))
    assert (code, api.created) == (0, Counter({str(n): 1 for n in range(50)}))
    assert the_report(file)["outcomes"] == {
        "created": 50,
        "duplicate": 0,
        "rejected": 0,
        "failed": 0,
    }
    assert "50" in said


async def test_each_row_has_its_outcome_and_the_words_of_the_api(tmp_path: Path):
    file = a_csv(tmp_path, 3)
    with file.open("a") as more:
        more.write("7,bad name,x\n0,again,y\n8,short\n")
    with serving(Api(unique="id")) as api:
        code, _ = await in_time(delivered(file, a_config(tmp_path, api)))
    told = {r["row"]: (r["outcome"], r["status"], r["reason"]) for r in the_report(file)["results"]}
    assert code == 3
    assert told[1] == ("created", 201, None)
    assert told[4] == ("rejected", 422, "*** is no name")
    assert told[5] == ("duplicate", 409, "there is one")
    assert told[6] == ("rejected", None, "not sent: 2 cells, the header has 3")


async def test_the_same_command_sends_nothing_again_but_what_failed(tmp_path: Path):
    file = a_csv(tmp_path, 20)
    with serving(Api(scripted=[BUSY, BUSY, OK, OK])) as api:
        config = a_config(tmp_path, api, {"retry_attempts": 0, "max_concurrent_requests": 1})
        assert (await in_time(delivered(file, config)))[0] == 3
        failed, asked = rows_of(file, "failed"), len(api.asked)
        assert (await in_time(delivered(file, config)))[0] == 0
    assert failed == [1, 2]
    again = [row["id"] for request in api.asked[asked:] for row in request.rows]
    assert again == ["0", "1"]
    keys = Counter(request.headers["idempotency-key"] for request in api.asked)
    assert sorted(keys.values()) == [1] * 18 + [2] * 2


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_that_are_refused_stop_the_delivery_at_once(status: int, tmp_path: Path):
    file = a_csv(tmp_path, 500)
    refusal = (status, {}, b'{"message": "key s3cret-key is revoked"}')
    told = {"type": "api_key", "api_key": "s3cret-key"}
    with serving(Api(answers={("POST", "/users"): refusal})) as api:
        config = a_config(tmp_path, api, of_authentication=told)
        code, said = await in_time(delivered(file, config))
    assert code == 1
    assert f"stopped: {status}: the" in said
    assert "key *** is revoked" in said
    assert len(api.asked) <= 5


async def test_an_api_that_is_not_well_is_not_sent_anything(tmp_path: Path):
    file = a_csv(tmp_path, 5)
    endpoints = {"customers": "/users", "health": "/health"}
    with serving(Api(answers={("GET", "/health"): (503, {}, b"")})) as api:
        config = a_config(tmp_path, api, of_endpoints=endpoints)
        code, said = await in_time(delivered(file, config))
        assert code == 1
        assert "not begun" in said
        assert (await in_time(delivered(file, config, check_health=False)))[0] == 0
    assert api.asked[0].path == "/health"


async def test_every_attempt_says_who_asks(tmp_path: Path):
    ways: list[tuple[dict[str, Any], str, str]] = [
        ({"type": "bearer_token", "bearer_token": "jwt"}, "authorization", "Bearer jwt"),
        ({"type": "api_key", "api_key": "k", "header_name": "X-Key"}, "x-key", "k"),
        ({"type": "basic", "username": "u", "password": "p"}, "authorization", "Basic dTpw"),
    ]
    with serving(Api()) as api:
        for number, (told, _, _) in enumerate(ways):
            folder = tmp_path / str(number)
            folder.mkdir()
            config = a_config(folder, api, of_authentication=told)
            await in_time(delivered(a_csv(folder, 1), config))
    worn = [request.headers[name] for request, (_, name, _) in zip(api.asked, ways, strict=True)]
    assert worn == [value for _, _, value in ways]


async def test_an_access_token_is_fetched_once_for_all_and_again_when_it_is_refused(tmp_path: Path):
    token = (200, {}, b'{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}')
    with serving(Api()) as api:
        told = {
            "type": "oauth2",
            "client_id": "c",
            "client_secret": "s",
            "token_url": f"{api.url}/token",
        }
        api.answers[("POST", "/token")] = token
        config = a_config(tmp_path, api, of_authentication=told)
        api.scripted = [(401, {}, b"")]
        assert (await in_time(delivered(a_csv(tmp_path, 40), config)))[0] == 0
    fetched = [request for request in api.asked if request.path == "/token"]
    assert len(fetched) == 2
    assert fetched[0].body == b"grant_type=client_credentials&client_id=c&client_secret=s"
    sent = [request for request in api.asked if request.path == "/users"]
    assert {request.headers["authorization"] for request in sent} == {"Bearer t1"}


async def test_a_token_that_is_refused_stops_the_delivery(tmp_path: Path):
    with serving(Api()) as api:
        api.answers[("POST", "/token")] = (400, {}, b'{"error": "invalid_client"}')
        told = {"type": "oauth2", "client_id": "c", "client_secret": "s"}
        config = a_config(
            tmp_path, api, of_authentication={**told, "token_url": f"{api.url}/token"}
        )
        code, said = await in_time(delivered(a_csv(tmp_path, 3), config))
    assert (code, "no access token: invalid_client" in said) == (1, True)


async def test_a_rehearsal_shows_what_would_be_sent_and_sends_nothing(tmp_path: Path):
    file = a_csv(tmp_path, 5, phone="12")
    told = {"type": "bearer_token", "bearer_token": "s3cret"}
    with serving(Api()) as api:
        config = a_config(
            tmp_path,
            api,
            of_authentication=told,
            of_headers={"X-Api-Token": "t0ken"},
            columns={"phone": {"type": "phone", "country_code": "+49"}},
        )
        code, said = await delivered(file, config, dry_run=True)
    assert (code, api.asked) == (3, [])
    assert "5 rows, utf-8, delimiter ','; 5 would not be sent" in said
    assert "5 × phone is no telephone number" in said
    assert not {"s3cret", "t0ken"} & set(said.split('"'))


async def test_several_rows_go_in_one_request_where_the_api_takes_lists(tmp_path: Path):
    file = a_csv(tmp_path, 25)
    with serving(Api()) as api:
        config = a_config(tmp_path, api, {"rows_per_request": 10})
        code, _ = await in_time(delivered(file, config))
    assert (code, sorted(len(request.rows) for request in api.asked)) == (0, [5, 10, 10])
    assert set(api.created.values()) == {1}


@pytest.mark.parametrize("one_by_one", [True, False])
async def test_a_list_with_a_bad_row_in_it_costs_that_row_alone(one_by_one: bool, tmp_path: Path):
    file = a_csv(tmp_path, 9)
    with file.open("a") as more:
        more.write("9,bad name,x\n")
    refused = [] if one_by_one else [(422, {}, b"{}")]
    with serving(Api(one_by_one=one_by_one, scripted=refused)) as api:
        config = a_config(tmp_path, api, {"rows_per_request": 10})
        await in_time(delivered(file, config))
    assert (rows_of(file, "rejected"), len(rows_of(file, "created"))) == ([10], 9)
    assert set(api.created.values()) == {1}


async def test_reports_are_safe_in_a_spreadsheet_and_hold_only_the_key_columns(tmp_path: Path):
    file = tmp_path / "customers.csv"
    file.write_text("id,name,email\n=1+1,bad Ada,ada@example.com\n")
    with serving(Api()) as api:
        config = a_config(tmp_path, api, report={"key_columns": ["id"]})
        await in_time(delivered(file, config))
    folder = tmp_path / "customers.csv.delivery" / "mock"
    row = next(csv.DictReader((folder / "report.csv").read_text().splitlines()))
    assert (row["id"], row["outcome"], row["reason"]) == ("'=1+1", "rejected", "*** is no name")
    left = "".join(path.read_text() for path in folder.iterdir())
    assert "example.com" not in left
    assert "Ada" not in left


async def test_a_file_that_changed_is_not_sent_twice_unless_one_wants_it(tmp_path: Path):
    with serving(Api()) as api:
        config = a_config(tmp_path, api)
        await in_time(delivered(a_csv(tmp_path, 2), config))
        file = a_csv(tmp_path, 3)
        code, said = await in_time(delivered(file, config))
        assert (code, "the file has changed" in said) == (2, True)
        assert (await in_time(delivered(file, config, anew=True)))[0] == 0
    assert sum(api.created.values()) == 5


async def test_with_a_delay_batches_wait_for_each_other(tmp_path: Path):
    with serving(Api()) as api:
        config = a_config(tmp_path, api, {"batch_size": 1, "adaptive": True})
        raw = json.loads(config.read_text())
        raw["mock"]["settings"]["delay_between_batches"] = 0.001
        config.write_text(json.dumps(raw))
        code, _ = await in_time(delivered(a_csv(tmp_path, 5), config))
    assert (code, len(api.asked)) == (0, 5)


async def test_what_is_wrong_with_file_or_configuration_is_said_before_anything_is_sent(
    tmp_path: Path,
):
    with serving(Api()) as api:
        config = a_config(tmp_path, api)
        for file in (tmp_path / "none.csv", config):
            code, said = await delivered(file, tmp_path / "none.json")
            assert (code, "none.json: No such file" in said) == (2, True)
        code, said = await delivered(tmp_path / "none.csv", config)
    assert (code, "none.csv: No such file" in said, api.asked) == (2, True, [])


async def test_a_mapping_names_the_fields_of_the_api(tmp_path: Path):
    mappings = {"salesforce": {"name": "Company", "email": "Email"}}
    with serving(Api()) as api:
        config = a_config(tmp_path, api, api_mappings=mappings)
        await in_time(delivered(a_csv(tmp_path, 1), config, mapping="salesforce"))
    assert msgspec.json.decode(api.asked[0].body) == {
        "Company": "Company 0",
        "Email": "user0@example.com",
    }
