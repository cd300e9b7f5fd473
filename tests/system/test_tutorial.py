"""The control face's tutorial on a running service, with the requests that its document writes."""

from typing import Any

import httpx2

from tests.running import RunningService

PASSWORD = "SecurePassword123!"


class Client:
    """The script at the end of the document, up to its pipelines."""

    def __init__(self, server: str) -> None:
        self.server = server.rstrip("/")
        self.token: str | None = None

    def register(self, email: str, password: str, **more: Any) -> dict[str, Any]:
        wanted = {"email": email, "password": password, "is_active": True, **more}
        return told(httpx2.post(f"{self.server}/api/auth/register", json=wanted), 201)

    def login(self, email: str, password: str) -> str:
        form = {"username": email, "password": password}
        data = told(httpx2.post(f"{self.server}/api/auth/jwt/login", data=form), 200)
        assert data["token_type"] == "bearer"
        self.token = data["access_token"]
        return data["access_token"]

    def post(self, path: str, body: Any, status: int = 201) -> Any:
        url = f"{self.server}{path}"
        return told(httpx2.post(url, json=body, headers=self.headers(), timeout=20), status)

    def get(self, path: str) -> Any:
        return told(httpx2.get(f"{self.server}{path}", headers=self.headers(), timeout=20), 200)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


def told(answer: httpx2.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_the_tutorial_up_to_the_members_of_a_team(new_service):
    service = new_service().start()
    john = Client(service.base_url)
    marks = {"is_superuser": False, "is_verified": False}
    user = john.register("john.doe@company.com", PASSWORD, **marks)
    assert (user["is_active"], user["active_env_id"]) == (True, None)
    john.login("john.doe@company.com", PASSWORD)
    wanted = {"name": "production-environment", "description": "Production", "use_retention": True}
    env = john.post("/api/envs/", wanted)
    assert env | wanted | {"retention_configuration": None} == env
    wanted = {"name": "Data Engineering Team", "description": "Team responsible for ETL pipelines"}
    team = john.post("/api/teams/", wanted)
    assert team | wanted | {"env_id": env["id"]} == team
    jane = Client(service.base_url).register("jane.smith@company.com", "SecurePass456!")
    bulk = f"/api/teams/{team['id']}/members/bulk"
    assert john.post(bulk, {"members": [jane["id"]]}, 204) is None
    assert john.get(f"/api/teams/{team['id']}/members") == [
        {"id": user["id"], "email": "john.doe@company.com", "role": "owner"},
        {"id": jane["id"], "email": "jane.smith@company.com", "role": "member"},
    ]
    page = john.get("/api/teams/?skip=0&limit=50")
    assert (page["total"], page["pages"], page["items"]) == (1, 1, [team])
    assert_nothing_leaked(service, PASSWORD, john.token)
    assert service.stop() == 0


def assert_nothing_leaked(service: RunningService, *secrets: str | None) -> None:
    log = service.log.read_text()
    assert [secret for secret in secrets if secret and secret in log] == []


def test_accounts_outlive_a_restart(new_service):
    service = new_service().start()
    demo = Client(service.base_url)
    demo.register("demo@example.com", PASSWORD)
    demo.login("demo@example.com", PASSWORD)
    env = demo.post("/api/envs/", {"name": "demo-env", "use_retention": True})
    assert service.stop() == 0
    service.start()
    assert demo.get("/api/users/me")["active_env_id"] == env["id"]
    demo.login("demo@example.com", PASSWORD)
    assert [e["name"] for e in demo.get("/api/envs/")["items"]] == ["default", "demo-env"]
    assert service.stop() == 0


def test_an_environment_with_events_stays_until_they_are_gone(new_service):
    service = new_service().start()
    demo = Client(service.base_url)
    demo.register("demo@example.com", PASSWORD)
    demo.login("demo@example.com", PASSWORD)
    env = demo.post("/api/envs/", {"name": "demo-env"})
    key = demo.post("/api/auth/api-key", {"name": "k"}, 200)["data"]
    event = {
        "eventType": "click",
        "userId": "a",
        "sessionId": "s",
        "timestamp": "2024-01-30T12:00Z",
    }
    sent = service.post("/api/v1/events?ack=stored", event, **{"x-api-key": key["apiKey"]})
    assert sent.status_code == 202
    url = f"{service.base_url}/api/auth/api-key/{key['keyId']}"
    told(httpx2.delete(url, headers=demo.headers()), 200)
    refused = httpx2.delete(f"{service.base_url}/api/envs/{env['id']}", headers=demo.headers())
    assert (refused.status_code, "events" in refused.json()["detail"]) == (409, True)
    assert service.stop() == 0
