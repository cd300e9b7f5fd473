"""Everybody who may call: nobody in particular, keys of each scope, users, the operator."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from service.accounts.principals import SCOPES
from service.errors import Unauthenticated
from tests.whole import Whole

OWNER, USER = "owner@example.com", "user@example.com"
PROXY = "127.0.0.1/32"
"""A `trusted_proxies` with which each call may come from another address."""


@dataclass
class Caller:
    """Somebody, by the credentials that he shows."""

    name: str
    credentials: Callable[[], dict[str, str]]
    _calls: "count[int]" = field(default_factory=count)

    def headers(self) -> dict[str, str]:
        """Of one call, from an address that has not called before: nobody calls too often."""
        number = next(self._calls)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return {"x-forwarded-for": address, **self.credentials()}


class Session:
    """A user's session, begun anew when a call has ended it."""

    def __init__(self, whole: Whole, email: str) -> None:
        self._whole = whole
        self._email = email
        self._token = ""

    def __call__(self) -> dict[str, str]:
        if not self._lasts():
            self._token = self._whole.run(self._whole.accounts.token(self._email))
        return {"authorization": f"Bearer {self._token}"}

    def _lasts(self) -> bool:
        try:
            self._whole.run(self._whole.parts.sessions.verify(self._token))
        except Unauthenticated:
            return False
        return True


def everybody(whole: Whole) -> list[Caller]:
    """One caller of each kind; the first user is the superuser and owns the default environment."""
    addresses = count()
    operator = {"authorization": f"Bearer {whole.parts.operator_token}"}
    known = {
        "nobody": dict,
        "operator": lambda: operator,
        "owner": Session(whole, OWNER),
        "user": Session(whole, USER),
        **{f"key that may {scope}": _key(whole, scope) for scope in SCOPES},
    }
    return [Caller(name, credentials, addresses) for name, credentials in known.items()]


def _key(whole: Whole, scope: str) -> Callable[[], dict[str, str]]:
    made = whole.run(whole.parts.keys.create(scope, [scope]))
    return lambda: {"x-api-key": made.text}
