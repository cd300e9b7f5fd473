"""What the OpenAPI document says of every resource of the control face alike."""

from litestar.openapi import ResponseSpec

from service.api.control.problems import Complaints, Detail
from service.api.openapi import document, text_parameter

Told = tuple[int, ResponseSpec]


def refused(status: int, about: str) -> Told:
    """An error response."""
    return document(status, Detail, about)


NOT_SIGNED_IN = refused(401, "No token, or not a valid one.")
FORBIDDEN = refused(403, "The caller may not do this.")
NOT_THERE = refused(404, "There is no such thing, or the caller may not know of it.")
CONFLICT = refused(409, "Not as things are now; `detail` says why.")
WRONG = document(422, Complaints, "A field is wrong; `loc` says which.")
TOO_OFTEN = refused(429, "Too often; see `Retry-After`.")
AWAY = refused(503, "The accounts' database does not answer; see `Retry-After`.")
BODY_REFUSED = [refused(413, "The body is too large."), refused(415, "Not a body of this type.")]
NO_ENVIRONMENT = refused(400, "The caller works in no environment.")

SIGNED_IN_ALWAYS = [NOT_SIGNED_IN, FORBIDDEN, AWAY]
"""What every route for people who are signed in may answer."""

ENVIRONMENT_HEADER = text_parameter(
    "X-Env-Id", "The environment to speak for, if not the active one.", where="header"
)
