"""Which face a path belongs to, and so in which form its errors are said.

Two faces share `/api/auth`; each of its routes errs in the form of its own face.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from litestar import Request

from service.api import problems
from service.api.answers import Answer
from service.api.control import problems as control
from service.api.dropins import problems as dropins
from service.api.dropins.segment_records import CALLS
from service.api.signed import problems as signed
from service.api.thedata import problems as thedata

_CONTROL = (
    *("/api/auth/register", "/api/auth/jwt", "/api/auth/forgot-password"),
    *("/api/auth/reset-password", "/api/users", "/api/envs", "/api/teams", "/api/invitations"),
    *("/api/smt", "/api/pipelines", "/api/connectors", "/api/connector-types"),
    *("/api/subscriptions", "/api/datamodels"),
)
"""What the control face answers, with everything below it."""
_SEGMENT = tuple(f"/v1/{call}" for call in (*CALLS, "batch"))
"""What Segment's clients send. It stands under the thedata face's mount, and is asked for first."""
_POSTHOG = ("/batch", "/capture", "/i/v0/e", "/flags", "/decide")
"""What PostHog's clients send."""
_THEDATA = ("/v1", "/api/v1/sources", "/api/v1/pipelines")
"""What the thedata face answers."""
_SIGNED = ("/apigw",)
"""What the signed face answers. All else errs as the events face does."""


_NAMES: Mapping[str, Sequence[str]] = {
    "operators": ("/-", "/api/health", "/api/ready", "/api/live"),
    "events": ("/api/v1/events",),
    "control": _CONTROL,
    "accounts": ("/api/auth", "/api/v1/keys", "/api/v1/audit", "/api/v1/signing-tokens"),
    "questions": ("/api",),
    "segment": _SEGMENT,
    "posthog": _POSTHOG,
    "thedata": _THEDATA,
    "signed": _SIGNED,
}
"""In the order in which they are looked through; all else belongs to the page at `/`."""


class _Face(Protocol):
    """How a face says its errors."""

    def answer_error(
        self, request: Request[Any, Any, Any], error: Exception
    ) -> problems.Problem: ...

    def refusal(self, status: int, code: str, message: str) -> Answer: ...


def answer_error(request: Request[Any, Any, Any], error: Exception) -> problems.Problem:
    """The answer for anything that was raised on the way, in the form of the path's face."""
    return _face(request.scope["path"]).answer_error(request, error)


def refusal(path: str, status: int, code: str, message: str) -> Answer:
    """The answer to what is no whole request, in the form of the path's face."""
    return _face(path).refusal(status, code, message)


def name_of(path: str) -> str:
    """What telemetry calls the face of a path; one of a few names, whatever is asked for."""
    return next((name for name, mounts in _NAMES.items() if _is_under(path, mounts)), "page")


def is_control(path: str) -> bool:
    """Whether a path is the control face's, whether there is such a route or not."""
    return _is_under(path, _CONTROL)


def _face(path: str) -> _Face:
    if is_control(path):
        return control
    if _is_under(path, _SEGMENT):
        return dropins.SEGMENT
    if _is_under(path, _POSTHOG):
        return dropins.POSTHOG
    if _is_under(path, _THEDATA):
        return thedata
    return signed if _is_under(path, _SIGNED) else problems


def _is_under(path: str, mounts: Sequence[str]) -> bool:
    return any(path == mount or path.startswith(f"{mount}/") for mount in mounts)
