"""From a bad answer to the error of ours that it stands for: the mirror of the API's edge."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx2
import msgspec

from service.client.answers import Problem, Refusal
from service.errors import (
    HeadraceError,
    InvalidInput,
    Refused,
    Retryable,
    UnexpectedAnswer,
    Unreachable,
)

COME_AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed."""

LOST = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
"""What a connection dies of. Whether the request was carried out is then unknown."""


def raise_for(response: httpx2.Response) -> None:
    """Raise what the service refused with; nothing for a good answer."""
    if not response.is_success:
        raise error_of(response)


def error_of(response: httpx2.Response) -> HeadraceError:
    """The error behind a bad answer, by its code; UnexpectedAnswer for one that is not ours."""
    problem = problem_of(response)
    kind = error_with(problem.code)
    message = problem.message or f"HTTP {response.status_code} from {shown(response.url)}"
    if response.status_code in COME_AGAIN:
        kind = kind if issubclass(kind, Retryable) else Retryable
        return kind(message, retry_after(response))
    if issubclass(kind, InvalidInput):
        return kind(message, _field(problem))
    return kind(message)


def error_with(code: str) -> type[HeadraceError]:
    """The error of this code; UnexpectedAnswer for an unknown one."""
    return _by_code().get(code, UnexpectedAnswer)


def problem_of(response: httpx2.Response) -> Problem:
    """The error's own words; empty ones when something else than the service answered."""
    try:
        return msgspec.json.decode(response.content, type=Refusal).error
    except msgspec.DecodeError:
        return _bare(response)


def _bare(response: httpx2.Response) -> Problem:
    """An error as it is said under `/v1`: without an envelope, its code small, the text inside."""
    try:
        said = msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        return Problem()
    text = said.details.get("error") if isinstance(said.details, dict) else None
    return Problem(said.code.upper(), text or said.message, said.details)


def _field(problem: Problem) -> str | None:
    field = problem.details.get("field") if isinstance(problem.details, dict) else None
    return field if isinstance(field, str) else None


@cache
def _by_code() -> dict[str, type[HeadraceError]]:
    """Those of the tree in `service.errors` alone: a face's own kinds share their codes."""
    kinds = [k for k in _below(HeadraceError) if k.__module__ == HeadraceError.__module__]
    return {k.code: k for k in kinds if "code" in vars(k) and not issubclass(k, Refused)}


def _below(kind: type[HeadraceError]) -> Iterator[type[HeadraceError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def retry_after(response: httpx2.Response) -> float:
    """Seconds that the answer asks to wait, 0 if it asks for nothing (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        return _seconds_until(text)


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def unreachable(error: httpx2.TransportError) -> Unreachable:
    """A lost connection as ours: unknown whether the request was carried out."""
    url = error.request.url.copy_with(raw_path=b"/")
    return Unreachable(f"{shown(url)}: {error or type(error).__name__}", 0)


def shown(url: httpx2.URL) -> str:
    """A URL as messages show it: without what stands in it of users, passwords and parameters."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path.rstrip('/')}"
