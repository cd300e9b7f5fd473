"""Which face a path belongs to, and so in which form its errors are said.

Two faces share `/api/auth`; each of its routes errs in the form of its own face.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request

from service.api import problems
from service.api.control import problems as control
from service.api.signed import problems as signed
from service.api.thedata import problems as thedata

_CONTROL = (
    *("/api/auth/register", "/api/auth/jwt", "/api/auth/forgot-password"),
    *("/api/auth/reset-password", "/api/users", "/api/envs", "/api/teams", "/api/invitations"),
    "/api/smt",
)
"""What the control face answers, with everything below it."""
_THEDATA = ("/v1",)
"""What the thedata face answers."""
_SIGNED = ("/apigw",)
"""What the signed face answers. All else errs as the events face does."""


def answer_error(request: Request[Any, Any, Any], error: Exception) -> problems.Problem:
    """The answer for anything that was raised on the way, in the form of the path's face."""
    if is_control(request.scope["path"]):
        return control.answer_error(request, error)
    if _is_under(request.scope["path"], _THEDATA):
        return thedata.answer_error(request, error)
    if _is_under(request.scope["path"], _SIGNED):
        return signed.answer_error(request, error)
    return problems.answer_error(request, error)


def is_control(path: str) -> bool:
    """Whether a path is the control face's, whether there is such a route or not."""
    return _is_under(path, _CONTROL)


def _is_under(path: str, mounts: Sequence[str]) -> bool:
    return any(path == mount or path.startswith(f"{mount}/") for mount in mounts)
