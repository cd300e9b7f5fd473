"""People who use the control face of a running application."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.api.edge import Edge
from tests.signing import Accounts

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"
PASSWORD = "MySecurePassword123!"


@dataclass
class Person:
    """Somebody who is signed in, or nobody in particular without a token."""

    edge: Edge
    token: str = ""
    id: str = ""

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx2.Response:
        """Send a request; `x_env_id="…"` becomes the header of that name."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named["authorization"] = f"Bearer {self.token}"
        return await self.edge.client.request(method, path, json=body, headers=named)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.ask("POST", path, body, **headers)

    async def patch(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        return await self.ask("PATCH", path, body, **headers)

    async def delete(self, path: str, **headers: str) -> httpx2.Response:
        return await self.ask("DELETE", path, **headers)


async def registered(edge: Edge, email: str = ADA, password: str = PASSWORD) -> Person:
    """Somebody who has registered and signed in."""
    made = await Person(edge).post("/api/auth/register", {"email": email, "password": password})
    assert made.status_code == 201, made.text
    return Person(edge, await logged_in(edge, email, password), made.json()["id"])


async def logged_in(edge: Edge, email: str = ADA, password: str = PASSWORD) -> str:
    """The token of a new session."""
    form = {"username": email, "password": password}
    answer = await edge.client.post("/api/auth/jwt/login", data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def proven(edge: Edge, accounts: Accounts, email: str) -> Person:
    """Somebody who has signed in with a code."""
    token = await accounts.token(email)
    return Person(edge, token, (await accounts.users.find(email)).id)


def complaint(answer: httpx2.Response) -> tuple[int, list[str], str]:
    """Status, place and kind of the first wrong field."""
    (first, *_) = answer.json()["detail"]
    return answer.status_code, first["loc"], first["type"]


async def an_environment(person: Person, name: str = "production", **fields: Any) -> str:
    """The id of a new environment of this person's."""
    made = await person.post("/api/envs/", {"name": name, **fields})
    assert made.status_code == 201, made.text
    return made.json()["id"]
