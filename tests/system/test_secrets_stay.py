"""Real secrets planted in every setting and every part of requests: none is in the log, in an
answer that is not theirs, or in the telemetry. The service is a process; its log is read as a file.
"""

import re
import secrets
import socket
import time
from collections.abc import Iterator, Sequence

import httpx2
import pytest

from service.app import create_app
from tests.api.edge import an_event, parts_of
from tests.documented import sign
from tests.house.tables import routes
from tests.running import RunningService

ROUTES = [
    (method, re.sub(r"{\w+:str}", "x", path))
    for method, path, _ in routes(create_app(parts_of()))
    if "/live" not in path.removeprefix("/api/live")  # answers without an end
]


class Planted(dict[str, str]):
    """Secrets by where they are planted, each unlike any other text."""

    def __missing__(self, place: str) -> str:
        self[place] = f"{place}0{secrets.token_hex(12)}"
        return self[place]

    def found_in(self, text: str) -> list[str]:
        return [place for place, secret in self.items() if secret in text]


def settings_of(planted: Planted) -> dict[str, str]:
    """Settings with a secret in each; nothing answers where the URLs point."""
    return {
        "SECRET_KEY": planted["secretkey"],
        "HEADRACE_FORMER_SECRET_KEYS": f"{planted['formerkey']},{planted['olderkey']}",
        "HEADRACE_SMTP_URL": f"smtp://mailer:{planted['smtp']}@127.0.0.1:1",
        "REDIS_URL": f"redis://:{planted['redis']}@127.0.0.1:1/0",
        "PROMETHEUS_ENABLED": "true",
        "HEADRACE_TRUSTED_PROXIES": "127.0.0.1",
    }


def carried(planted: Planted) -> Iterator[dict[str, str]]:
    """Headers with secrets in them, each time other ones."""
    signed = sign("key_0123456789abcdef", planted["signing"], "GET", "/x")["authorization"]
    yield {}
    yield {"x-api-key": f"evp_{planted['apikey']}", "user-agent": planted["useragent"]}
    yield {"authorization": f"Bearer eyJ{planted['head']}.{planted['claims']}.{planted['seal']}"}
    yield {"authorization": f"Basic {planted['basic']}", "cookie": f"a={planted['cookie']}"}
    yield {"authorization": signed, "x-forwarded-for": planted["forwarded"]}
    yield {"x-api-key": RunningService.api_key, "idempotency-key": planted["idempotency"]}
    yield {"authorization": f"Bearer {RunningService.api_key}", "x-env-id": planted["env"]}


def bodies(planted: Planted) -> list[object]:
    secret = {"password": planted["password"], "token": planted["token"], "code": planted["code"]}
    event = an_event(payload={"password": planted["payload"]}, metadata=secret)
    person = {"email": "ada@example.com", **secret}
    return [person, event, {"events": [event]}, [secret], planted["wholebody"]]


def ask(service: RunningService, planted: Planted) -> list[httpx2.Response]:
    """Every route, with every credential, a body and a query string."""
    query = {"token": planted["query"], "key": f"evp_{planted['querykey']}"}
    answers = []
    with httpx2.Client(base_url=service.base_url, timeout=30) as client:
        for method, path in ROUTES:
            for number, headers in enumerate(carried(planted)):
                body = bodies(planted)[number % 5] if method not in {"GET", "HEAD"} else None
                params = query if number % 2 else None
                address = f"10.0.{len(answers) // 250}.{len(answers) % 250}"  # no limit is reached
                headers = {"x-forwarded-for": address, **headers}
                answers.append(
                    client.request(method, path, headers=headers, json=body, params=params)
                )
        answers.append(client.get(f"/api/auth/api-key/evp_{planted['path']}"))
    return answers


def send_raw(service: RunningService, planted: Planted) -> None:
    """Bytes that are no good HTTP, with a secret in them."""
    for text in (f"GET /{planted['badpath']} HTTP/9\r\n\r\n", f"x: {planted['nohttp']}\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
            connection.sendall(text.encode())
            connection.recv(1000)


def test_nothing_planted_is_in_log_answers_or_telemetry(new_service):
    planted = Planted()
    service: RunningService = new_service(**settings_of(planted)).start()
    answers = ask(service, planted)
    send_raw(service, planted)
    planted["bootstrap"] = service.api_key
    metrics = service.get("/-/metrics").text
    assert service.stop() == 0
    assert len(planted) > 25
    assert "library.logged" not in service.log.read_text()
    assert planted.found_in(service.log.read_text()) == []
    assert planted.found_in(metrics) == []
    given = {f"{a.request.method} {a.request.url.path}": leaks(planted, a) for a in answers}
    assert {place: what for place, what in given.items() if what} == {}


def leaks(planted: Planted, answer: httpx2.Response) -> Sequence[str]:
    """What an answer gives away, with its headers."""
    return planted.found_in(f"{answer.headers} {answer.text}")


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("POSTGRES_URL", "postgresql://headrace:{}@127.0.0.1:1/headrace"),
        ("CLICKHOUSE_URL", "http://headrace:{}@127.0.0.1:1/headrace"),
        ("NATS_URL", "nats://headrace:{}@127.0.0.1:1"),
        ("REDIS_URL", "redis://:{}@127.0.0.1:nowhere/0"),
        ("POSTGRES_URL", "mysql://headrace:{}@127.0.0.1:1/headrace"),
        ("HEADRACE_BOOTSTRAP_API_KEY", "with a space {}"),
        ("CLICKHOUSE_URL", "http://headrace:{}@["),
    ],
)
def test_a_start_that_fails_or_waits_tells_no_password(new_service, variable: str, url: str):
    planted = Planted()
    password = f"{planted['first']}%40{planted['second']}"
    service: RunningService = new_service(**{variable: url.format(password)})
    service.launch()
    while not service.log.read_text() and service.exit_code() is None:
        time.sleep(0.05)
    service.clean_up()
    assert service.log.read_text()
    assert planted.found_in(service.log.read_text()) == []
